import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { History } from '../../sim/history.ts';

const DIR = 'test-output/histories';

/** Keeps a history that was found wanting, and its members' logs beside it; answers where. */
export function saveHistory(history: History, logs: readonly string[], dir = DIR): string {
  mkdirSync(dir, { recursive: true });
  const name = `seed-${history.seed}`;
  const path = join(dir, `${name}.json`);
  writeFileSync(path, JSON.stringify(history));
  for (const [i, log] of logs.entries()) writeFileSync(join(dir, `${name}.m${i}.log`), log);
  return path;
}

/** Throws if it cannot be read. */
export function loadHistory(path: string): History {
  const history = JSON.parse(readFileSync(path, 'utf8')) as History;
  for (const operation of history.operations) {
    // JSON knows no infinity: nobody answered.
    operation.returnedMs ??= Number.POSITIVE_INFINITY;
  }
  return history;
}
