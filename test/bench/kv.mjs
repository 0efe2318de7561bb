// Puts and reads on our nodes and on etcd, in turn in one run, the same load on both: ratios of medians.
//   npm run build && node test/bench/kv.mjs [--rounds 3] [--seconds 3]
// Both sync every write. The client shares the cores with the servers, so absolute figures say little: read the ratios.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { credentials, Metadata } from '@grpc/grpc-js';
import {
  KVClient,
  MaintenanceClient,
  PutRequest,
  RangeRequest,
  StatusRequest,
} from '../../dist/main/proto/etcd/rpc.js';
import { onPath } from '../support/chromium.mjs';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, seconds: { type: 'string', default: '3' } },
});
const ROUNDS = Number(values.rounds);
const SECONDS = Number(values.seconds);
const OURS = [process.execPath, resolve(import.meta.dirname, '../../dist/main/node/main.js')];
const VALUE = Buffer.alloc(256, 'v');

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

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

const call = (client, method, request) =>
  new Promise((done, fail) =>
    client[method](request, new Metadata(), { deadline: Date.now() + 20_000 }, (error, answer) =>
      error ? fail(error) : done(answer),
    ),
  );

/** Starts a cluster and finds its leader. */
async function startCluster(command, count, base) {
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

/** Runs `clients` loops over `connections` connections for the given time: operations/s and latencies in ms. */
async function load(address, clients, connections, operation) {
  const pool = Array.from(
    { length: connections },
    (_, i) => new KVClient(address, credentials.createInsecure(), { 'bench.id': i }),
  );
  const latencies = [];
  const until = performance.now() + SECONDS * 1000;
  await Promise.all(
    Array.from({ length: clients }, async (_, c) => {
      const client = pool[c % connections];
      for (let i = 0; performance.now() < until; i++) {
        const started = performance.now();
        await operation(client, c, i);
        latencies.push(performance.now() - started);
      }
    }),
  );
  for (const client of pool) client.close();
  latencies.sort((a, b) => a - b);
  const at = (q) => latencies[Math.floor(latencies.length * q)];
  return { perSecond: latencies.length / SECONDS, p50: at(0.5), p99: at(0.99) };
}

const key = (c, i) => Buffer.from(`key-${String((c * 7919 + i) % 100_000).padStart(12, '0')}`);
const put = (client, c, i) =>
  call(client, 'put', PutRequest.fromPartial({ key: key(c, i), value: VALUE }));
const range = (serializable) => (client, c, i) =>
  call(client, 'range', RangeRequest.fromPartial({ key: key(c, i % 50), serializable }));

const WORKLOADS = [
  ['put, 1 client', 1, 1, put],
  ['put, 100 clients on 10 connections', 100, 10, put],
  ['range, linearizable, 100 clients', 100, 10, range(false)],
  ['range, serializable, 100 clients', 100, 10, range(true)],
];

const servers = [['raftdeck', OURS, 31_000]];
if (onPath('etcd')) servers.push(['etcd', [onPath('etcd')], 32_000]);
else console.warn('etcd is not on PATH: figures without a ratio');

for (const nodes of [1, 3]) {
  const results = new Map();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, command, base] of servers) {
      const cluster = await startCluster(command, nodes, base + round * 20);
      for (const [title, clients, connections, operation] of WORKLOADS) {
        const result = await load(cluster.address, clients, connections, operation);
        const id = `${name}|${title}`;
        results.set(id, [...(results.get(id) ?? []), result]);
      }
      await cluster.stop();
    }
  }
  console.log(`\n${nodes} node${nodes > 1 ? 's, to the leader' : ''}; medians of ${ROUNDS} rounds`);
  for (const [title] of WORKLOADS) {
    const of = (name, field) =>
      median((results.get(`${name}|${title}`) ?? []).map((r) => r[field]));
    const row = servers.map(
      ([name]) =>
        `${name} ${Math.round(of(name, 'perSecond'))}/s p50 ${of(name, 'p50').toFixed(2)} p99 ${of(name, 'p99').toFixed(2)} ms`,
    );
    const ratio =
      servers.length > 1
        ? `ratio ${(of('raftdeck', 'perSecond') / of('etcd', 'perSecond')).toFixed(2)}`
        : '';
    console.log(`  ${title.padEnd(38)} ${row.join('   ')}   ${ratio}`);
  }
}
