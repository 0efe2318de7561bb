import type { Logger } from '../../base/logger.ts';
import type { StateMachine } from '../apply/types.ts';
import type { RaftNode } from '../raft/index.ts';
import type { StateStore } from '../storage/types.ts';
import type { WriteAheadLog } from '../wal/types.ts';
import { GROUP } from './bootstrap.ts';
import type { Persist } from './wal-writer.ts';

/** Entries kept behind the applied index, so that a follower that lags a little needs no snapshot (etcd's figure). */
export const CATCH_UP_ENTRIES = 5_000;

export interface LogCompactorDeps {
  store: StateStore;
  state: StateMachine;
  raft: RaftNode;
  wal: WriteAheadLog;
  persist(item: Persist): Promise<void>;
  snapshotCount: number;
  logger: Logger;
}

/** Drops log entries once the state on disk holds them, every `snapshotCount` applied entries. */
export class LogCompactor {
  readonly #deps: LogCompactorDeps;
  #lastIndex: number;
  #running = false;

  constructor(deps: LogCompactorDeps, lastIndex: number) {
    this.#deps = deps;
    this.#lastIndex = lastIndex;
  }

  /** Call after each apply; starts a compaction when it is due. Rejects only on failures that must stop the node. */
  async applied(index: number): Promise<void> {
    const { snapshotCount, store, state, raft, wal, persist, logger } = this.#deps;
    if (this.#running || index - this.#lastIndex < snapshotCount) return;
    this.#running = true;
    try {
      const durable = state.appliedIndex;
      await store.flush();
      this.#lastIndex = durable;
      const keep = Math.min(CATCH_UP_ENTRIES, snapshotCount);
      const upTo = durable - keep;
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
    }
  }
}
