import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { LoadGenerator } from './load-generator.ts';
import type { Scale } from './workloads.ts';

const SHAPES = [
  { clients: 1, connections: 1 },
  { clients: 100, connections: 10 },
  { clients: 1000, connections: 100 },
];

export interface Ceiling {
  clients: number;
  perSecond: number;
}

/** What the load generator reaches against a server that does nothing, on the machine as it is. */
export async function measureCeilings(generator: LoadGenerator, scale: Scale): Promise<Ceiling[]> {
  const child = fork(join(import.meta.dirname, 'null-server.js'));
  try {
    const port = await portOf(child);
    const ceilings: Ceiling[] = [];
    for (const { clients, connections } of SHAPES) {
      const { operations, seconds } = await generator.run({
        kind: 'closedLoop',
        operation: 'put',
        addresses: [{ host: '127.0.0.1', port }],
        clients,
        connections,
        keys: scale.keys,
        spanKeys: 1,
        warmupMs: scale.warmupMs,
        durationMs: scale.durationMs / 2,
        seed: 1,
      });
      ceilings.push({ clients, perSecond: operations / seconds });
    }
    return ceilings;
  } finally {
    child.kill();
  }
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('message', ({ port }: { port: number }) => resolve(port));
    child.once('exit', () => reject(new Error('the null server died')));
  });
}
