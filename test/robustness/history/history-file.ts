import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { History } from '../../sim/history.ts';

const DIR = 'test-output/histories';

/** Keeps a history that was found wanting; answers where. */
export function saveHistory(history: History): string {
  mkdirSync(DIR, { recursive: true });
  const path = join(DIR, `seed-${history.seed}.json`);
  writeFileSync(path, JSON.stringify(history));
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
