import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { WalBatch } from './types.ts';
import { createWal, openWal } from './wal.ts';

/**
 * The bytes of the example in README.md: two-digit hex numbers up to the first double blank of each
 * line.
 */
function exampleBytes(): Buffer {
  const readme = readFileSync(fileURLToPath(new URL('./README.md', import.meta.url)), 'utf8');
  const block = /```hex\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const digits = block
    .split('\n')
    .map((line) => (line.split(/ {2,}/)[0] ?? '').replaceAll(' ', ''));
  return Buffer.from(digits.join(''), 'hex');
}

const confState = {
  voters: [1n],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};
const metadata = { clusterId: 0x0102030405060708n, memberId: 0x1112131415161718n };
const append: WalBatch = {
  hardState: { term: 1, vote: 1n, commit: 0 },
  entries: [{ term: 1, index: 1, type: 0, data: Buffer.from('hello') }],
};

describe('the format of the log', () => {
  it('is that of the worked example', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'raftdeck-wal-'));
    try {
      const snapshot = { index: 0, term: 0, confState };
      const wal = await createWal(dir, metadata, [{ group: 0, snapshot }]);
      await wal.append([append]);
      await wal.close();
      expect(await readdir(dir)).toEqual(['0000000000000001-0000000000000000.wal']);
      const content = await readFile(join(dir, '0000000000000001-0000000000000000.wal'));
      expect(content.toString('hex')).toBe(exampleBytes().toString('hex'));

      const { wal: again, recovery } = await openWal(dir);
      await again.close();
      expect(recovery).toEqual({
        metadata,
        tornBytes: 0,
        groups: new Map([[0, { hardState: append.hardState, snapshot, entries: append.entries }]]),
      });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
