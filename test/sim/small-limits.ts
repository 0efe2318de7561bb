import type { Edit } from './planted/types.ts';

const limit = (file: string, find: string, replace: string): Edit => ({
  file: `src-main/node/${file}`,
  find,
  replace,
});

/**
 * Limits of the product that a simulated cluster, which is small, would never reach: what lies beyond them is run, too.
 * They are made small in the simulator's bundle alone, and none of them is a promise to anybody.
 */
export const SMALL_LIMITS: readonly Edit[] = [
  limit('mvcc/watch-hub.ts', 'REPLAY_ROWS_PER_SLICE = 1_000;', 'REPLAY_ROWS_PER_SLICE = 7;'),
  limit('mvcc/watch-hub.ts', 'REPLAY_WATCHERS_PER_SLICE = 512;', 'REPLAY_WATCHERS_PER_SLICE = 3;'),
  limit('mvcc/history.ts', 'WALK_LIMIT = 16;', 'WALK_LIMIT = 3;'),
  limit('mvcc/pacer.ts', 'SLICE_ROWS = 100;', 'SLICE_ROWS = 20;'),
  limit('mvcc/range.ts', 'CHEAP_CHANGES = 1_000;', 'CHEAP_CHANGES = 10;'),
  limit('raft/log.ts', 'MAX_COMMITTED_PER_READY = 8192;', 'MAX_COMMITTED_PER_READY = 20;'),
  limit('server/apply-queue.ts', 'SLICE_ENTRIES = 512;', 'SLICE_ENTRIES = 9;'),
  limit('server/group.ts', 'MAX_BYTES_PER_APPEND = 1024 * 1024;', 'MAX_BYTES_PER_APPEND = 400;'),
  limit('server/group.ts', 'MAX_INFLIGHT_APPENDS = 256;', 'MAX_INFLIGHT_APPENDS = 4;'),
  limit(
    'lease/expiry.ts',
    'CHECKPOINT_INTERVAL_MS = 5 * 60_000;',
    'CHECKPOINT_INTERVAL_MS = 2_000;',
  ),
];

/** As set above: how much of a lease's time a change of leader may give back. */
export const CHECKPOINT_INTERVAL_MS = 2_000;
