import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkSnapshotFile } from './snapshot-file.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raftdeck-snapshot-file-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function database(): Buffer {
  const bytes = Buffer.alloc(4_096);
  bytes.writeUInt32LE(0xed0cdaed, 16);
  return bytes;
}

async function check(...parts: Buffer[]): Promise<void> {
  const path = join(dir, 'db');
  await writeFile(path, Buffer.concat(parts));
  return checkSnapshotFile(path);
}

describe('a file to restore', () => {
  const digest = createHash('sha256').update(database()).digest();

  it('may have its digest behind it, or none', async () => {
    await check(database(), digest);
    await check(database());
  });

  it('is refused if it is damaged, no database, no file, missing or relative', async () => {
    const wrong = { code: 'InvalidArgument' };
    await expect(check(database(), Buffer.alloc(32))).rejects.toMatchObject({
      ...wrong,
      message: expect.stringContaining('damaged'),
    });
    await expect(check(Buffer.alloc(4_096))).rejects.toMatchObject(wrong);
    await expect(check(database(), Buffer.alloc(7))).rejects.toMatchObject(wrong);
    await expect(check()).rejects.toMatchObject(wrong);
    await expect(checkSnapshotFile(dir)).rejects.toMatchObject(wrong);
    await expect(checkSnapshotFile('db')).rejects.toMatchObject(wrong);
    const missing = checkSnapshotFile(join(dir, 'missing'));
    await expect(missing).rejects.toMatchObject({ code: 'NotFound' });
  });
});
