import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { CodedError, errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { EventKind } from '../../proto/raftdeck/inspect.ts';
import { type Message, MessageType, type SnapshotHeader } from '../../proto/raftdeck/raft.ts';
import type { StateMachine } from '../apply/types.ts';
import type { RaftNode } from '../raft/index.ts';
import type { SnapshotMeta } from '../raft/types.ts';
import type { StateStore } from '../storage/types.ts';
import { GROUP } from './bootstrap.ts';
import type { NodeDisk } from './io.ts';
import type { RaftEvents } from './raft-events.ts';
import { Reception } from './reception.ts';

/** Snapshots sent at once: each one holds a read transaction open. */
const MAX_SENDING = 2;
/** How long a received snapshot may wait until Raft takes or refuses it. */
const ACCEPT_TIMEOUT_MS = 30_000;

/** The way to another member. Rejects if it did not get or take it. */
export type SnapshotSender = (
  to: bigint,
  header: SnapshotHeader,
  chunks: AsyncIterable<Buffer>,
) => Promise<void>;

interface Spooled {
  path: string;
  index: number;
  settle(error?: Error): void;
}

/** Moves whole states between members: streams ours to one that lags, takes in one that the leader sends. */
export class Snapshots {
  readonly #dir: string;
  readonly #disk: NodeDisk;
  readonly #clock: Clock;
  readonly #store: Pick<StateStore, 'exportSnapshot' | 'importSnapshot'>;
  readonly #state: Pick<StateMachine, 'appliedIndex'>;
  readonly #raft: Pick<RaftNode, 'snapshotMeta' | 'pendingSnapshot'>;
  readonly #step: (messages: Message[]) => void;
  readonly #logger: Logger;
  readonly #events: Pick<RaftEvents, 'add'>;
  readonly #sending = new Set<bigint>();
  #spooled: Spooled | undefined;
  #reception: Reception | undefined;

  constructor(deps: {
    dir: string;
    disk: NodeDisk;
    clock: Clock;
    store: Pick<StateStore, 'exportSnapshot' | 'importSnapshot'>;
    state: Pick<StateMachine, 'appliedIndex'>;
    raft: Pick<RaftNode, 'snapshotMeta' | 'pendingSnapshot'>;
    step(messages: Message[]): void;
    logger: Logger;
    events: Pick<RaftEvents, 'add'>;
  }) {
    this.#dir = deps.dir;
    this.#disk = deps.disk;
    this.#clock = deps.clock;
    this.#store = deps.store;
    this.#state = deps.state;
    this.#raft = deps.raft;
    this.#step = deps.step;
    this.#logger = deps.logger;
    this.#events = deps.events;
  }

  /** Streams the state as it is now to the member that `message` names, and tells Raft how it went. */
  send(message: Message, sendTo: SnapshotSender): void {
    if (this.#sending.has(message.to)) return;
    if (this.#sending.size >= MAX_SENDING) {
      this.#report(message, false);
      return;
    }
    const peer = message.to.toString(16);
    const chunks = this.#export(peer);
    if (chunks === undefined) {
      this.#report(message, false);
      return;
    }
    this.#sending.add(message.to);
    // The state may have moved on since Raft asked: the message must name what is streamed. The export takes its
    // view when its first chunk is asked for, so that is done now, in the same turn as the index is read.
    const snapshot = this.#raft.snapshotMeta(this.#state.appliedIndex);
    const header: SnapshotHeader = { group: GROUP, message: { ...message, snapshot } };
    this.#logger.info('sending snapshot', { peer, index: snapshot.index });
    sendTo(message.to, header, chunks)
      .then(
        () => {
          this.#logger.info('snapshot sent', { peer, index: snapshot.index });
          this.#note(EventKind.SNAPSHOT_SENT, message.to, snapshot);
          this.#report(message, true);
        },
        (error: unknown) => {
          this.#logger.warn('snapshot not sent', { peer, reason: errorMessage(error) });
          this.#note(EventKind.SNAPSHOT_FAILED, message.to, snapshot);
          this.#report(message, false);
        },
      )
      .finally(() => {
        this.#sending.delete(message.to);
        // Nobody has read to the end if there was no way to the member: the view must not stay open.
        void chunks[Symbol.asyncIterator]().return?.();
      });
  }

  /** Spools a snapshot from the leader to a file, offers it to Raft and resolves once it is installed. */
  async receive(
    from: bigint,
    header: SnapshotHeader,
    chunks: AsyncIterable<Buffer>,
  ): Promise<void> {
    const message = header.message;
    const meta = message?.snapshot;
    if (message === undefined || meta === undefined || header.group !== GROUP) {
      throw new CodedError('PeerProtocol', 'snapshot without a message');
    }
    if (message.from !== from) throw new CodedError('PeerProtocol', 'snapshot from a third party');
    const reception = await this.#begin(message.term);
    const path = join(this.#dir, `incoming-${meta.index}.snapshot`);
    try {
      await reception.spool(this.#disk.files, path, chunks);
      await new Promise<void>((resolve, reject) => {
        const cancelTimer = this.#clock.setTimer(ACCEPT_TIMEOUT_MS, () =>
          reject(new CodedError('PeerBusy', 'the snapshot was not taken: state is newer')),
        );
        const settle = (error?: Error) => {
          cancelTimer();
          if (error === undefined) resolve();
          else reject(error);
        };
        this.#spooled = { path, index: meta.index, settle };
        // A state that is newer refuses the message and answers the leader by itself.
        if (meta.index <= this.#state.appliedIndex) settle();
        this.#step([message]);
        // One of a leader of the past, or not newer, must not keep the next one waiting.
        if (this.#raft.pendingSnapshot !== meta.index) {
          settle(new CodedError('PeerBusy', 'the snapshot was not taken'));
        }
      });
    } finally {
      this.#spooled = undefined;
      await this.#disk.files.remove(path).finally(() => {
        this.#reception = undefined;
        reception.end();
      });
    }
  }

  /** One at a time; another one takes its place, or is refused. */
  async #begin(term: number): Promise<Reception> {
    const current = this.#reception;
    if (current?.yieldsTo(term) === true) {
      current.cancel(new CodedError('PeerBusy', 'another snapshot takes the place of this one'));
      await current.ended;
    }
    if (this.#reception !== undefined) {
      throw new CodedError('PeerBusy', 'another snapshot is being received');
    }
    this.#reception = new Reception(term);
    return this.#reception;
  }

  /** Called by the driver once Raft took the snapshot. `replaced`: see StateStore. */
  async install(meta: SnapshotMeta, replaced: () => void): Promise<void> {
    const spooled = this.#spooled;
    if (spooled === undefined || spooled.index !== meta.index) {
      throw new CodedError('SnapshotLost', `no data for the snapshot at ${meta.index}`);
    }
    try {
      await this.#store.importSnapshot(this.#disk.readInPieces(spooled.path), replaced);
      spooled.settle();
    } catch (error) {
      spooled.settle(error as Error);
      throw error;
    }
  }

  /** Undefined if the store has no view to spare: clients that save snapshots may hold all, and Raft asks again. */
  #export(peer: string): AsyncIterable<Buffer> | undefined {
    try {
      return startNow(this.#store.exportSnapshot());
    } catch (error) {
      if (!(error instanceof CodedError) || error.code !== 'StateBusy') throw error;
      this.#logger.warn('snapshot not sent', { peer, reason: error.message });
      return undefined;
    }
  }

  #note(kind: EventKind, member: bigint, { index, term }: SnapshotMeta): void {
    this.#events.add(kind, { member, index, term });
  }

  #report(message: Message, ok: boolean): void {
    this.#step([{ ...message, type: MessageType.SNAPSHOT_STATUS, from: message.to, reject: !ok }]);
  }
}

/** Runs an async generator up to its first item now instead of at the first read. */
function startNow(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const iterator = source[Symbol.asyncIterator]();
  let first: Promise<IteratorResult<Buffer>> | undefined = iterator.next();
  // Its failure shows when it is read.
  first.catch(() => {});
  return {
    [Symbol.asyncIterator]: () => ({
      next() {
        const result = first ?? iterator.next();
        first = undefined;
        return result;
      },
      return: async () => {
        await iterator.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}
