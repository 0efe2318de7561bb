import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { HashKVRequest, MaintenanceService, type SnapshotResponse } from '../../proto/etcd/rpc.ts';
import type { CallContext } from '../rpc/service.ts';
import { streamSnapshot } from './snapshot.ts';
import { nodeError, TestBackend } from './testing/backend.ts';
import { TestCaller } from './testing/call.ts';

/** A sink whose room the test controls, and a call that it can end. */
class TestCall {
  readonly backend = new TestBackend();
  readonly received: SnapshotResponse[] = [];
  full = false;
  /** Chunks that were asked for. */
  read = 0;
  readonly abort = new AbortController();
  #drain = (): void => {};

  constructor(chunks: Buffer[], failure?: Error) {
    const call = this;
    this.backend.snapshotBytes = chunks.reduce((sum, { length }) => sum + length, 0);
    this.backend.snapshotChunks = (async function* () {
      for (const chunk of chunks) {
        call.read++;
        yield chunk;
      }
      if (failure !== undefined) throw failure;
    })();
  }

  run(): Promise<void> {
    const sink = {
      write: (response: SnapshotResponse) => {
        this.received.push(response);
        return !this.full;
      },
      onDrain: (listener: () => void) => {
        this.#drain = listener;
      },
    };
    const context = { signal: this.abort.signal } as CallContext;
    return streamSnapshot(this.backend, {}, sink, context);
  }

  drain(): void {
    this.full = false;
    this.#drain();
  }
}

const CHUNKS = [Buffer.alloc(4096, 'a'), Buffer.alloc(4096, 'b'), Buffer.alloc(100, 'c')];
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

describe('a snapshot', () => {
  it('counts down what is left and ends with the digest', async () => {
    const call = new TestCall(CHUNKS);
    await call.run();
    expect(call.received.map(({ remainingBytes }) => remainingBytes)).toEqual([4196, 100, 0, 0]);
    const digest = createHash('sha256').update(Buffer.concat(CHUNKS)).digest();
    expect(call.received.map(({ blob }) => blob)).toEqual([...CHUNKS, digest]);
    expect(call.backend.asked).toEqual(['openSnapshot', 'closeSnapshot']);
  });

  it('reads no further while the client has no room', async () => {
    const call = new TestCall(CHUNKS);
    call.full = true;
    const done = call.run();
    await settle();
    expect([call.read, call.received.length]).toEqual([1, 1]);
    call.drain();
    await done;
    expect(call.received).toHaveLength(4);
  });

  it('is given up and closed when the client goes away, waiting or not', async () => {
    for (const full of [true, false]) {
      const call = new TestCall(CHUNKS);
      call.full = full;
      const done = call.run();
      if (full) await settle();
      call.abort.abort();
      await done;
      expect(call.received.length).toBeLessThan(4);
      expect(call.backend.asked).toEqual(['openSnapshot', 'closeSnapshot']);
    }
  });

  it('is closed after a failure, and has no digest then', async () => {
    const call = new TestCall(CHUNKS, new Error('the disk failed'));
    await expect(call.run()).rejects.toThrow('the disk failed');
    expect(call.received).toHaveLength(3);
    expect(call.backend.asked).toEqual(['openSnapshot', 'closeSnapshot']);
  });

  it('that cannot be opened is not closed', async () => {
    const call = new TestCall(CHUNKS);
    call.backend.failures.openSnapshot = nodeError('TooManyRequests');
    await expect(call.run()).rejects.toMatchObject({ code: 'TooManyRequests' });
    expect(call.backend.asked).toEqual(['openSnapshot']);
  });
});

describe('hashes', () => {
  it('are answered with the revision that they are of', async () => {
    const backend = new TestBackend();
    const caller = new TestCaller(backend);
    expect(await caller.unary(MaintenanceService.hash, {})).toMatchObject({
      header: { revision: 9, memberId: 22n },
      hash: 88,
    });
    const ask = (revision: number) =>
      caller.unary(MaintenanceService.hashKv, HashKVRequest.fromPartial({ revision }));
    const answer = { header: { revision: 10 }, hash: 77, hashRevision: 10 };
    // etcd's word for "never".
    expect(await ask(0)).toMatchObject({ ...answer, compactRevision: -1 });
    backend.kvHash = { ...backend.kvHash, compactRevision: 4 };
    expect(await ask(7)).toMatchObject({ ...answer, compactRevision: 4 });
    expect(backend.asked).toEqual(['hash', 'hashKv 0', 'hashKv 7']);
  });

  it.each([
    ['Compacted', 'etcdserver: mvcc: required revision has been compacted'],
    ['FutureRev', 'etcdserver: mvcc: required revision is a future revision'],
  ] as const)('answer %s as etcd does', async (code, message) => {
    const backend = new TestBackend();
    backend.failures['hashKv 3'] = nodeError(code);
    const request = HashKVRequest.fromPartial({ revision: 3 });
    const asked = new TestCaller(backend).unary(MaintenanceService.hashKv, request);
    await expect(asked).rejects.toMatchObject({ message });
  });
});
