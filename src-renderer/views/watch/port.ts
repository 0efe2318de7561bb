import type { ContractClient } from '../../api/client.ts';
import type { OpenWatch, Schedule } from './watch-session.svelte.ts';
import { targetEnd } from './watch-target.ts';

/** The contract infers bytes over an ArrayBuffer of their own, which all bytes in a page are. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

/** Watches of one cluster, over the contract. */
export function openWatch(client: ContractClient, clusterId: string): OpenWatch {
  return (target, { onItems, onEnd }) => {
    const rangeEnd = targetEnd(target);
    const handle = client.open(
      'watch.open',
      {
        clusterId,
        key: own(target.key),
        ...(rangeEnd === undefined ? {} : { rangeEnd: own(rangeEnd) }),
        ...(target.startRevision > 0 ? { startRevision: target.startRevision } : {}),
        ...(target.only === null ? {} : { only: target.only }),
        packed: true,
      },
      { onItems, onEnd },
    );
    return () => handle.close();
  };
}

/**
 * A list that changes more often than this cannot be read, and drawing it would take the whole
 * page's time.
 */
const MIN_REDRAW_MS = 100;

/**
 * Runs before the next frame, but at most ten times a second: a lone event shows at once, a flood
 * in batches. All that is scheduled with one of these runs in the same frame.
 */
export function frameSchedule(): Schedule {
  let lastMs = Number.NEGATIVE_INFINITY;
  return (run) => {
    let frame = 0;
    const onFrame = () => {
      lastMs = performance.now();
      run();
    };
    const waitMs = Math.max(0, lastMs + MIN_REDRAW_MS - performance.now());
    const timer = setTimeout(() => {
      frame = requestAnimationFrame(onFrame);
    }, waitMs);
    return () => {
      clearTimeout(timer);
      cancelAnimationFrame(frame);
    };
  };
}
