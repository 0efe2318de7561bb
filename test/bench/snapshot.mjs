// Saves a snapshot of many small keys from one node and says how long it takes, how much memory the node uses for it,
// and how long a put waits meanwhile. Also of a compaction that has to be seen through while the snapshot is written.
//   npm run build && node test/bench/snapshot.mjs [--keys 1000000]
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { credentials, Metadata } from '@grpc/grpc-js';
import {
  HashKVRequest,
  PutRequest,
  RequestOp,
  SnapshotRequest,
  TxnRequest,
} from '../../dist/main/proto/etcd/rpc.js';
import { KVClient, MaintenanceClient } from '../../dist/main/remote/clients.js';

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    port: { type: 'string', default: '23970' },
  },
});
const KEYS = Number(values.keys);
const PORT = Number(values.port);
const BATCH = 100;
const IN_FLIGHT = 32;
const MIB = 1024 * 1024;

const dir = mkdtempSync(join(tmpdir(), 'raftdeck-bench-'));
const [client, peer] = [`http://127.0.0.1:${PORT}`, `http://127.0.0.1:${PORT + 1}`];
const node = spawn(
  process.execPath,
  [
    resolve(import.meta.dirname, '../../dist/main/node/main.js'),
    ...['--name', 'n0', '--data-dir', join(dir, 'n0'), '--initial-cluster', `n0=${peer}`],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
  ],
  { stdio: 'ignore' },
);
const options = { 'grpc.max_receive_message_length': -1 };
const kv = new KVClient(`127.0.0.1:${PORT}`, credentials.createInsecure(), options);
const maintenance = new MaintenanceClient(`127.0.0.1:${PORT}`, credentials.createInsecure());

const call = (target, method, request) =>
  new Promise((done, fail) =>
    target[method](request, new Metadata(), { deadline: Date.now() + 120_000 }, (error, answer) =>
      error ? fail(error) : done(answer),
    ),
  );
const residentMib = (field = 'VmRSS') => {
  const status = readFileSync(`/proc/${node.pid}/status`, 'utf8');
  return Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)[1]) / 1024);
};
const fileMib = () => {
  const smaps = readFileSync(`/proc/${node.pid}/status`, 'utf8');
  return Math.round(Number(/RssFile:\s+(\d+)/.exec(smaps)[1]) / 1024);
};
/** Of all threads, in seconds: what a machine with other work to do does not change. */
const cpuSeconds = () => {
  const fields = readFileSync(`/proc/${node.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function fill(round) {
  let next = 0;
  const run = async () => {
    while (next < KEYS) {
      const from = next;
      next += BATCH;
      const success = Array.from({ length: BATCH }, (_, i) =>
        RequestOp.fromPartial({
          request: {
            $case: 'requestPut',
            value: {
              key: Buffer.from(`/bench/key/${String(from + i).padStart(8, '0')}`),
              value: Buffer.from(`value ${round} of ${from + i}`),
            },
          },
        }),
      );
      await call(kv, 'txn', TxnRequest.fromPartial({ success }));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, run));
}

/** Latencies of puts, one after the other, until stopped. */
function probe() {
  const latencies = [];
  let running = true;
  const done = (async () => {
    while (running) {
      const started = performance.now();
      const request = PutRequest.fromPartial({
        key: Buffer.from('probe'),
        value: Buffer.from('x'),
      });
      await call(kv, 'put', request);
      latencies.push(performance.now() - started);
    }
  })();
  return async () => {
    running = false;
    await done;
    latencies.sort((a, b) => a - b);
    const at = (q) => latencies[Math.floor(q * (latencies.length - 1))].toFixed(1);
    return `${latencies.length} puts, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`;
  };
}

async function save(name) {
  const before = { rss: residentMib(), file: fileMib() };
  let peakAnonymous = 0;
  const watch = setInterval(() => {
    peakAnonymous = Math.max(peakAnonymous, residentMib() - fileMib());
  }, 20);
  const stop = probe();
  const cpu = cpuSeconds();
  const started = performance.now();
  let first = 0;
  let bytes = 0;
  let last;
  const hash = createHash('sha256');
  for await (const { blob } of maintenance.snapshot(SnapshotRequest.create())) {
    if (first === 0) first = performance.now() - started;
    if (last !== undefined) hash.update(last);
    last = blob;
    bytes += blob.length;
  }
  const seconds = (performance.now() - started) / 1000;
  clearInterval(watch);
  if (!hash.digest().equals(last)) throw new Error('the digest does not match');
  console.log(
    `${name}: ${(bytes / MIB).toFixed(0)} MiB in ${seconds.toFixed(1)} s ` +
      `(${(cpuSeconds() - cpu).toFixed(1)} s of CPU), first byte after ${(first / 1000).toFixed(1)} s`,
  );
  console.log(`  puts meanwhile: ${await stop()}`);
  console.log(
    `  memory without mapped files: ${before.rss - before.file} MiB before, at most ${peakAnonymous} MiB; ` +
      `all of it, ${residentMib()} MiB after`,
  );
}

try {
  for (let up = false; !up; await sleep(50)) {
    up = await fetch(`${client}/health`).then(
      (answer) => answer.ok,
      () => false,
    );
  }
  const started = performance.now();
  await fill(1);
  console.log(`${KEYS} keys put in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  await sleep(1_000);
  const idle = probe();
  await sleep(2_000);
  console.log(`puts alone: ${await idle()}`);
  await save('snapshot');
  await save('snapshot again');
  const sum = performance.now();
  await call(maintenance, 'hashKv', HashKVRequest.fromPartial({ revision: 0 }));
  console.log(`HashKV: ${((performance.now() - sum) / 1000).toFixed(1)} s`);
  await fill(2);
  const { header } = await call(kv, 'put', PutRequest.fromPartial({ key: Buffer.from('probe') }));
  await call(kv, 'compact', { revision: header.revision, physical: false });
  await save('snapshot during the removal of a compaction');
  const after = performance.now();
  await call(maintenance, 'hashKv', HashKVRequest.fromPartial({ revision: 0 }));
  console.log(`HashKV after it: ${((performance.now() - after) / 1000).toFixed(1)} s`);
} finally {
  kv.close();
  maintenance.close();
  node.kill('SIGTERM');
  await new Promise((done) => node.once('exit', done));
  rmSync(dir, { recursive: true, force: true });
}
