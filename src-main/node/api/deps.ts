import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';

/** etcd's --experimental-watch-progress-notify-interval. */
export const DEFAULT_WATCH_PROGRESS_INTERVAL_MS = 10 * 60_000;

/** How often a stream that requires a leader looks for one. */
export const DEFAULT_LEADER_CHECK_INTERVAL_MS = 500;

/** What the services need besides the node. */
export interface ApiDeps {
  logger: Logger;
  clock: Clock;
  /** Between two progress notifications of an idle watcher. */
  watchProgressIntervalMs?: number;
  leaderCheckIntervalMs?: number;
  /** Aborted when the server begins to stop: calls that wait for other clients end then. */
  stopping?: AbortSignal;
}
