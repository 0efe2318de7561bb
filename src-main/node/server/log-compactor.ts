import type { Logger } from '../../base/logger.ts';
import type { StateMachine } from '../apply/types.ts';
import type { RaftNode } from '../raft/index.ts';
import type { StateStore } from '../storage/types.ts';
import type { WriteAheadLog } from '../wal/types.ts';
import { GROUP } from './bootstrap.ts';
import type { Persist } from './wal-writer.ts';

/** Entries kept behind the applied index, so that a follower that lags a little needs no snapshot (etcd's figure). */
export const CATCH_UP_ENTRIES = 5_000;

/**
 * Entries are compacted early once they weigh more than this in memory, to half of it: etcd counts entries alone, and
 * so keeps gigabytes of large values. A follower that lags by more gets a snapshot.
 */
export const MAX_LOG_BYTES = 64 << 20;

export interface LogCompactorDeps {
  store: Pick<StateStore, 'flush'>;
  state: Pick<StateMachine, 'appliedIndex'>;
  raft: Pick<RaftNode, 'status' | 'logBytes' | 'indexToKeep' | 'snapshotMeta' | 'compact'>;
  wal: Pick<WriteAheadLog, 'releaseSegments'>;
  persist(item: Persist): Promise<void>;
  snapshotCount: number;
  /** MAX_LOG_BYTES if not set. */
  maxLogBytes?: number;
  logger: Logger;
}

/** Drops log entries once the state on disk holds them: every `snapshotCount` entries, or when they weigh much. */
export class LogCompactor {
  readonly #deps: LogCompactorDeps;
  readonly #maxLogBytes: number;
  #lastIndex: number;
  /** Applied entries up to here made the log no lighter than it may be: what weighs is behind them. */
  #heavyUntil = 0;
  #running = false;

  constructor(deps: LogCompactorDeps, lastIndex: number) {
    this.#deps = deps;
    this.#maxLogBytes = deps.maxLogBytes ?? MAX_LOG_BYTES;
    this.#lastIndex = lastIndex;
  }

  /** Call after each apply; starts a compaction when it is due. Rejects only on failures that must stop the node. */
  async applied(index: number): Promise<void> {
    const { snapshotCount, store, state, raft, wal, persist, logger } = this.#deps;
    if (this.#running || !this.#isDue(index)) return;
    this.#running = true;
    try {
      const durable = state.appliedIndex;
      await store.flush();
      this.#lastIndex = durable;
      const keep = Math.min(CATCH_UP_ENTRIES, snapshotCount);
      const light = raft.indexToKeep(this.#maxLogBytes / 2);
      const upTo = Math.min(Math.max(durable - keep, light), durable, raft.status().applied);
      if (upTo <= raft.status().firstIndex) return;
      const { term, confState } = raft.snapshotMeta(upTo);
      if (confState === undefined) return;
      const mark = { index: upTo, term, confState };
      await persist({ batch: { group: GROUP, snapshot: mark }, messages: [] });
      raft.compact(upTo);
      await wal.releaseSegments();
      logger.info('log compacted', { upTo, durable });
    } finally {
      this.#running = false;
      this.#heavyUntil = raft.status().lastIndex;
    }
  }

  #isDue(index: number): boolean {
    const { snapshotCount, raft } = this.#deps;
    if (index - this.#lastIndex >= snapshotCount) return true;
    return index > this.#heavyUntil && raft.logBytes > this.#maxLogBytes;
  }
}
