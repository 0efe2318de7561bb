// Puts and reads on our nodes and on etcd, in turn in one run, the same load on both: ratios of medians.
//   npm run build && node test/bench/kv.mjs [--rounds 3] [--seconds 3]
// Both sync every write. The client shares the cores with the servers, so absolute figures say little: read the ratios.
import { parseArgs } from 'node:util';
import { credentials } from '@grpc/grpc-js';
import { PutRequest, RangeRequest } from '../../dist/main/proto/etcd/rpc.js';
import { KVClient } from '../../dist/main/remote/clients.js';
import { availableServers, call, median, percentiles, startCluster } from './servers.mjs';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, seconds: { type: 'string', default: '3' } },
});
const ROUNDS = Number(values.rounds);
const SECONDS = Number(values.seconds);
const VALUE = Buffer.alloc(256, 'v');

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
  return { perSecond: latencies.length / SECONDS, ...percentiles(latencies) };
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

const servers = availableServers();

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
