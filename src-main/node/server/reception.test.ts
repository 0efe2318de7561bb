import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/logger.ts';
import { Message } from '../../proto/raftdeck/raft.ts';
import type { StateStore } from '../storage/types.ts';
import { systemFiles } from '../wal/files.ts';
import { GROUP } from './bootstrap.ts';
import type { NodeDisk } from './io.ts';
import { Snapshots } from './snapshots.ts';

describe('a snapshot that comes in', () => {
  const folders: string[] = [];
  afterEach(async () => {
    for (const dir of folders.splice(0)) await rm(dir, { recursive: true });
  });

  /** Raft takes what is of its term and newer than index 9; `install` is the driver's part. */
  async function receiving() {
    const dir = await mkdtemp(join(tmpdir(), 'snapshots-'));
    folders.push(dir);
    const raft = { pendingSnapshot: undefined as number | undefined, term: 5 };
    const imported: string[] = [];
    const store = {
      importSnapshot: async (chunks: AsyncIterable<Uint8Array>) => {
        for await (const chunk of chunks) imported.push(Buffer.from(chunk).toString());
      },
    } as unknown as StateStore;
    const snapshots = new Snapshots({
      ...{ dir, store, clock: systemClock, logger: silentLogger },
      disk: {
        files: systemFiles,
        readInPieces: async function* (path: string) {
          yield await readFile(path);
        },
      } as unknown as NodeDisk,
      state: { appliedIndex: 9 },
      raft: raft as never,
      events: { add: () => {} },
      step: ([message]) => {
        const index = message?.snapshot?.index ?? 0;
        raft.term = Math.max(raft.term, message?.term ?? 0);
        if (message?.term === raft.term && index > 9) raft.pendingSnapshot = index;
      },
    });
    const offer = (term: number, index: number, chunks: AsyncIterable<Buffer>) => {
      const message = Message.fromPartial({ from: 7n, term, snapshot: { index, term } });
      return snapshots.receive(7n, { group: GROUP, message }, chunks);
    };
    const install = async (index: number) => {
      await expect.poll(() => raft.pendingSnapshot).toBe(index);
      await snapshots.install({ index, term: 5, confState: undefined }, () => {});
      raft.pendingSnapshot = undefined;
    };
    return { dir, raft, imported, offer, install };
  }

  async function* whole(text: string) {
    yield Buffer.from(text);
  }
  /** As from a host that went dark: nothing more comes, not even the end. */
  async function* stalled() {
    yield Buffer.from('begins');
    await new Promise(() => {});
  }

  test('is put in place, and leaves no file behind', async () => {
    const { dir, imported, offer, install } = await receiving();
    const taken = offer(5, 12, whole('state'));
    await install(12);
    await taken;
    expect(imported).toEqual(['state']);
    expect(await readdir(dir)).toEqual([]);
  });

  test.each([5, 6])('takes the place of one of term 5 that stalls, in term %i', async (term) => {
    const { dir, imported, offer, install } = await receiving();
    const first = offer(5, 12, stalled());
    const ended = expect(first).rejects.toMatchObject({ code: 'PeerBusy' });
    await expect.poll(() => readdir(dir)).toHaveLength(1);
    const second = offer(term, 12, whole('newer'));
    await ended;
    await install(12);
    await second;
    expect(imported).toEqual(['newer']);
    expect(await readdir(dir)).toEqual([]);
  });

  test('of an earlier leader does not disturb one of a later', async () => {
    const { dir, imported, offer, install } = await receiving();
    let go = () => {};
    const rest = new Promise<void>((resolve) => {
      go = resolve;
    });
    const first = offer(
      6,
      12,
      (async function* () {
        yield Buffer.from('one');
        await rest;
      })(),
    );
    await expect.poll(() => readdir(dir)).toHaveLength(1);
    await expect(offer(5, 11, whole('old'))).rejects.toMatchObject({ code: 'PeerBusy' });
    go();
    await install(12);
    await first;
    expect(imported).toEqual(['one']);
  });

  test('is not disturbed once Raft has it', async () => {
    const { raft, imported, offer, install } = await receiving();
    const first = offer(5, 12, whole('state'));
    await expect.poll(() => raft.pendingSnapshot).toBe(12);
    await expect(offer(6, 13, whole('later'))).rejects.toMatchObject({ code: 'PeerBusy' });
    await install(12);
    await first;
    expect(imported).toEqual(['state']);
  });

  test('is refused at once if Raft does not take it, and the next one is not', async () => {
    const { raft, offer, install } = await receiving();
    raft.term = 6;
    await expect(offer(5, 12, whole('deposed'))).rejects.toMatchObject({ code: 'PeerBusy' });
    const next = offer(6, 13, whole('state'));
    await install(13);
    await next;
  });
});
