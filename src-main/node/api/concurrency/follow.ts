import type { WatchBatch, Watcher, WatchHub, WatchSpec } from '../../mvcc/types.ts';

/** more: go on; full: go on after `resume`; enough: the end. */
export type Verdict = 'more' | 'full' | 'enough';

export interface Follower {
  /**
   * Resolves when `take` has had enough, when the call is over, or when compaction has overtaken
   * the watcher. Whoever follows looks at the state again in any case.
   */
  readonly ended: Promise<void>;
  resume(): void;
}

type KeysFrom = Pick<WatchSpec, 'key' | 'end' | 'startRevision'>;

/** Hands what happens to keys to `take`, as long as it wants. */
export function follow(
  hub: WatchHub,
  keys: KeysFrom,
  signal: AbortSignal,
  take: (batch: WatchBatch) => Verdict,
): Follower {
  let watcher: Watcher | undefined;
  let over = false;
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      over = true;
      signal.removeEventListener('abort', end);
      watcher?.cancel();
      resolve();
    };
    if (signal.aborted) {
      end();
      return;
    }
    signal.addEventListener('abort', end);
    const spec = { ...keys, noPut: false, noDelete: false, prevKv: false };
    watcher = hub.watch(spec, {
      deliver: (batch) => {
        if (over) return true;
        const verdict = take(batch);
        if (verdict === 'enough') end();
        return verdict !== 'full';
      },
      compacted: end,
    });
    // It may have had something to deliver before it was ours to cancel.
    if (over) watcher.cancel();
  });
  return { ended, resume: () => watcher?.resume() };
}
