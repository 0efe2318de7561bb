import { createHash } from 'node:crypto';
import type { SnapshotRequest, SnapshotResponse } from '../../proto/etcd/rpc.ts';
import type { CallContext, ResponseSink } from '../rpc/service.ts';
import type { Backend } from './backend.ts';

/**
 * Streams the state as etcd's database and then its SHA-256, as etcd does. The client's pace is the
 * stream's. What was written for it is removed, however the call ends.
 */
export async function streamSnapshot(
  backend: Backend,
  _request: SnapshotRequest,
  responses: ResponseSink<SnapshotResponse>,
  { signal }: CallContext,
): Promise<void> {
  const snapshot = await backend.openSnapshot(signal);
  try {
    const room = new Room(responses, signal);
    const digest = createHash('sha256');
    let remainingBytes = snapshot.bytes;
    for await (const blob of snapshot.chunks) {
      digest.update(blob);
      remainingBytes -= blob.length;
      await room.write({ header: undefined, remainingBytes, blob, version: '' });
      if (signal.aborted) return;
    }
    await room.write({ header: undefined, remainingBytes, blob: digest.digest(), version: '' });
  } finally {
    await snapshot.close();
  }
}

/** Writes one message at a time, each once there is room for it. */
class Room {
  readonly #responses: ResponseSink<SnapshotResponse>;
  readonly #signal: AbortSignal;
  #release: () => void = () => {};

  constructor(responses: ResponseSink<SnapshotResponse>, signal: AbortSignal) {
    this.#responses = responses;
    this.#signal = signal;
    responses.onDrain(() => this.#release());
    signal.addEventListener('abort', () => this.#release(), { once: true });
  }

  /** Resolves when the next message may be written, or the call is over. */
  async write(response: SnapshotResponse): Promise<void> {
    if (this.#signal.aborted || this.#responses.write(response)) return;
    await new Promise<void>((resolve) => {
      this.#release = resolve;
      if (this.#signal.aborted) resolve();
    });
  }
}
