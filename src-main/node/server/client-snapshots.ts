import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { StateSnapshot } from '../api/backend.ts';
import { etcdBuckets } from '../bolt/etcd-schema.ts';
import { writeBoltFile } from '../bolt/writer.ts';
import type { Schedule } from '../mvcc/schedule.ts';
import type { StateStore, StateView } from '../storage/types.ts';
import type { WalFiles } from '../wal/files.ts';
import { nodeError } from './proposals.ts';
import { withView } from './views.ts';

/** At once: each needs as much disk space as the state, and for seconds a view of it. */
export const MAX_CLIENT_SNAPSHOTS = 2;
/** What etcd sends in one message. */
export const SNAPSHOT_MESSAGE_BYTES: number = 32 * 1024;
const READ_BYTES = 8 * SNAPSHOT_MESSAGE_BYTES;
const PREFIX = 'client-snapshot-';

/**
 * The state as a database of etcd's, for clients that save it. It is written into a file beside the
 * state first: its size has to be known before the first byte is sent, and a slow client must not
 * hold a view of the state.
 */
export class ClientSnapshots {
  readonly #dir: string;
  readonly #store: StateStore;
  readonly #files: Pick<WalFiles, 'list' | 'remove'>;
  readonly #schedule: Schedule;
  readonly #logger: Logger;
  #open = 0;
  #made = 0;

  constructor(deps: {
    dir: string;
    store: StateStore;
    files: Pick<WalFiles, 'list' | 'remove'>;
    schedule: Schedule;
    logger: Logger;
  }) {
    this.#files = deps.files;
    this.#schedule = deps.schedule;
    this.#dir = deps.dir;
    this.#store = deps.store;
    this.#logger = deps.logger;
  }

  /** What a process before this one left when it crashed. Only before the first snapshot. */
  async removeLeftovers(): Promise<void> {
    for (const name of await this.#files.list(this.#dir)) {
      if (name.startsWith(PREFIX)) await this.#files.remove(join(this.#dir, name));
    }
  }

  /** Throws TooManyRequests, and whatever the disk says. `signal` ends the writing. */
  async open(signal: AbortSignal): Promise<StateSnapshot> {
    if (this.#open >= MAX_CLIENT_SNAPSHOTS) throw nodeError('TooManyRequests');
    this.#open++;
    const path = join(this.#dir, `${PREFIX}${++this.#made}.db`);
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'w+', 0o600);
      const bytes = await this.#write(file, signal);
      return this.#handOut(path, file, bytes);
    } catch (error) {
      await this.#remove(path, file);
      throw error;
    }
  }

  #write(file: FileHandle, signal: AbortSignal): Promise<number> {
    const buckets = (view: StateView) => etcdBuckets(view, this.#schedule, signal);
    return withView(this.#store, (view) => writeBoltFile(file, buckets(view)));
  }

  #handOut(path: string, file: FileHandle, bytes: number): StateSnapshot {
    let closing: Promise<void> | undefined;
    return {
      bytes,
      chunks: readChunks(file, bytes),
      close: () => {
        closing ??= this.#remove(path, file);
        return closing;
      },
    };
  }

  /** Never rejects: what cannot be removed goes at the next start. */
  async #remove(path: string, file: FileHandle | undefined): Promise<void> {
    try {
      await file?.close();
      await rm(path, { force: true });
    } catch (error) {
      this.#logger.warn('snapshot file not removed', { path, reason: errorMessage(error) });
    } finally {
      this.#open--;
    }
  }
}

async function* readChunks(file: FileHandle, bytes: number): AsyncGenerator<Buffer, undefined> {
  for (let position = 0; position < bytes; ) {
    const length = Math.min(READ_BYTES, bytes - position);
    const block = Buffer.allocUnsafeSlow(length);
    for (let at = 0; at < length; ) {
      const { bytesRead } = await file.read(block, at, length - at, position + at);
      if (bytesRead === 0) throw new Error('the snapshot file was cut short');
      at += bytesRead;
    }
    for (let at = 0; at < length; at += SNAPSHOT_MESSAGE_BYTES) {
      yield block.subarray(at, at + SNAPSHOT_MESSAGE_BYTES);
    }
    position += length;
  }
  return undefined;
}
