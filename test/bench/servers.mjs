// What the benchmarks share: clusters of real processes, ours and etcd's, and how figures are put together.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { credentials, Metadata } from '@grpc/grpc-js';
import { StatusRequest } from '../../dist/main/proto/etcd/rpc.js';
import { MaintenanceClient } from '../../dist/main/remote/clients.js';
import { onPath } from '../support/chromium.mjs';

const OURS = [process.execPath, resolve(import.meta.dirname, '../../dist/main/node/main.js')];

/** Name, command and first port of every server that can be had here. */
export function availableServers() {
  const servers = [['raftdeck', OURS, 31_000]];
  if (onPath('etcd')) servers.push(['etcd', [onPath('etcd')], 32_000]);
  else console.warn('etcd is not on PATH: figures without a ratio');
  return servers;
}

export const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

function flags(i, count, base, dir) {
  const url = (port) => `http://127.0.0.1:${port}`;
  const members = Array.from({ length: count }, (_, k) => `n${k}=${url(base + 2 * k + 1)}`).join();
  const [client, peer] = [url(base + 2 * i), url(base + 2 * i + 1)];
  return [
    ...['--name', `n${i}`, '--data-dir', join(dir, `n${i}`), '--initial-cluster', members],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
  ];
}

export const call = (client, method, request) =>
  new Promise((done, fail) =>
    client[method](request, new Metadata(), { deadline: Date.now() + 20_000 }, (error, answer) =>
      error ? fail(error) : done(answer),
    ),
  );

/** Starts a cluster and finds its leader. */
export async function startCluster(command, count, base) {
  const dir = mkdtempSync(join(tmpdir(), 'raftdeck-bench-'));
  const [file, ...lead] = command;
  const processes = Array.from({ length: count }, (_, i) =>
    spawn(file, [...lead, ...flags(i, count, base, dir)], { stdio: 'ignore' }),
  );
  const maintenance = processes.map(
    (_, i) => new MaintenanceClient(`127.0.0.1:${base + 2 * i}`, credentials.createInsecure()),
  );
  let leader = -1;
  while (leader < 0) {
    const answers = await Promise.all(
      maintenance.map((client) => call(client, 'status', StatusRequest.create({})).catch(() => {})),
    );
    leader = answers.findIndex((a) => a && a.leader !== 0n && a.leader === a.header.memberId);
  }
  for (const client of maintenance) client.close();
  return {
    address: `127.0.0.1:${base + 2 * leader}`,
    async stop() {
      await Promise.all(
        processes.map((child) => {
          child.kill('SIGKILL');
          return new Promise((done) => child.once('exit', done));
        }),
      );
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Median and 99th percentile of latencies in ms. */
export function percentiles(latencies) {
  const sorted = [...latencies].sort((a, b) => a - b);
  const at = (q) => sorted[Math.floor(sorted.length * q)];
  return { p50: at(0.5), p99: at(0.99) };
}
