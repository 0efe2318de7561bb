// What a running compaction costs those who write meanwhile: latency of puts with and without one, ours and etcd's in
// turn in one run.
//   npm run bench:compaction -- [--rounds 3] [--revisions 200000] [--clients 10]
// Each round makes the history anew, loads the server with puts, and compacts all of it physically under that load.
// Both sync every write, and the client shares the cores with the servers: read the ratios.
import { parseArgs } from 'node:util';
import { credentials } from '@grpc/grpc-js';
import { CompactionRequest, PutRequest } from '../../dist/main/proto/etcd/rpc.js';
import { KVClient } from '../../dist/main/remote/clients.js';
import { availableServers, call, median, percentiles, startCluster } from './servers.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    revisions: { type: 'string', default: '200000' },
    clients: { type: 'string', default: '10' },
  },
});
const ROUNDS = Number(values.rounds);
const REVISIONS = Number(values.revisions);
const CLIENTS = Number(values.clients);
const VALUE = Buffer.alloc(256, 'v');
/** Keys that the history is about: nearly all of it is old versions. */
const KEYS = 1_000;
const FILLERS = 200;
/** How long the load runs without a compaction. */
const QUIET_MS = 3_000;

const put = (client, name) =>
  call(client, 'put', PutRequest.fromPartial({ key: Buffer.from(name), value: VALUE }));

async function makeHistory(client) {
  let next = 0;
  await Promise.all(
    Array.from({ length: FILLERS }, async () => {
      while (next < REVISIONS) await put(client, `key-${next++ % KEYS}`);
    }),
  );
}

/** Puts in closed loops; `take()` answers the latencies since it was called last. */
function startLoad(client) {
  let latencies = [];
  let running = true;
  const loops = Array.from({ length: CLIENTS }, async (_, c) => {
    for (let i = 0; running; i++) {
      const started = performance.now();
      await put(client, `load-${c}-${i % 100}`);
      latencies.push(performance.now() - started);
    }
  });
  return {
    take() {
      const taken = latencies;
      latencies = [];
      return taken;
    },
    async stop() {
      running = false;
      await Promise.all(loops);
    },
  };
}

async function measure(command, base) {
  const cluster = await startCluster(command, 1, base);
  const client = new KVClient(cluster.address, credentials.createInsecure());
  try {
    await makeHistory(client);
    const { header } = await put(client, 'last');
    const load = startLoad(client);
    await new Promise((done) => setTimeout(done, 500));
    load.take();
    await new Promise((done) => setTimeout(done, QUIET_MS));
    const quiet = percentiles(load.take());
    const started = performance.now();
    const request = CompactionRequest.fromPartial({ revision: header.revision, physical: true });
    await call(client, 'compact', request);
    const tookMs = performance.now() - started;
    const latencies = load.take();
    await load.stop();
    return { quiet, during: percentiles(latencies), puts: latencies.length, tookMs };
  } finally {
    client.close();
    await cluster.stop();
  }
}

const servers = availableServers();
const results = new Map(servers.map(([name]) => [name, []]));
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, command, base] of servers) {
    const result = await measure(command, base + round * 20);
    results.get(name).push(result);
    const { quiet, during, puts, tookMs } = result;
    console.log(
      `round ${round + 1} ${name.padEnd(8)} quiet p50 ${quiet.p50.toFixed(2)} p99 ${quiet.p99.toFixed(2)} ms,` +
        ` compacting p50 ${during.p50.toFixed(2)} p99 ${during.p99.toFixed(2)} ms` +
        ` (${puts} puts in ${Math.round(tookMs)} ms)`,
    );
  }
}

console.log(
  `\n${REVISIONS} revisions compacted under ${CLIENTS} clients; medians of ${ROUNDS} rounds`,
);
for (const [name, rounds] of results) {
  const of = (pick) => median(rounds.map(pick));
  const p50 = of(({ quiet, during }) => during.p50 / quiet.p50);
  const p99 = of(({ quiet, during }) => during.p99 / quiet.p99);
  console.log(
    `  ${name.padEnd(8)} p50 ${of((r) => r.quiet.p50).toFixed(2)} -> ${of((r) => r.during.p50).toFixed(2)} ms` +
      ` (x${p50.toFixed(2)})   p99 ${of((r) => r.quiet.p99).toFixed(2)} -> ${of((r) => r.during.p99).toFixed(2)} ms` +
      ` (x${p99.toFixed(2)})   took ${Math.round(of((r) => r.tookMs))} ms`,
  );
}
if (servers.length > 1) {
  const ratio = (pick) =>
    median(results.get('raftdeck').map((ours, i) => pick(ours) / pick(results.get('etcd')[i])));
  console.log(
    `  ours / etcd, paired by round: quiet p50 ${ratio((r) => r.quiet.p50).toFixed(2)}` +
      ` p99 ${ratio((r) => r.quiet.p99).toFixed(2)}, compacting p50 ${ratio((r) => r.during.p50).toFixed(2)}` +
      ` p99 ${ratio((r) => r.during.p99).toFixed(2)}`,
  );
}
