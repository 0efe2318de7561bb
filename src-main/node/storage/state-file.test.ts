import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkStateFile } from './state-file.ts';

const PAGE_BYTES = 4096;
const LAST_PAGE_AT = 144;

let path: string;
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'raftdeck-state-file-')), 'state');
});
afterEach(() => rmSync(join(path, '..'), { recursive: true, force: true }));

/** Two meta pages that name this last page. */
function stateFile(lastPage: bigint): Buffer {
  const bytes = Buffer.alloc(2 * PAGE_BYTES);
  for (const at of [0, PAGE_BYTES]) {
    bytes.writeUInt32LE(0xbeefc0de, at + 24);
    bytes.writeUInt32LE(2, at + 28);
    bytes.writeUInt32LE(PAGE_BYTES, at + 48);
    bytes.writeBigUInt64LE(lastPage, at + LAST_PAGE_AT);
  }
  return bytes;
}

test('a file that was cut short gets its length back', () => {
  writeFileSync(path, stateFile(9n));
  checkStateFile(path);
  expect(statSync(path).size).toBe(10 * PAGE_BYTES);
});

test('a file that claims more than any state has is refused and left as it is', () => {
  for (const lastPage of [2n ** 28n, 2n ** 50n, 2n ** 64n - 1n]) {
    writeFileSync(path, stateFile(lastPage));
    expect(() => checkStateFile(path)).toThrow(expect.objectContaining({ code: 'StateCorrupt' }));
    expect(statSync(path).size).toBe(2 * PAGE_BYTES);
  }
});
