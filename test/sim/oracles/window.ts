import { type KeyState, keyModel } from './key-model.ts';
import type { KeyCall } from './linearizable.ts';
import { linearize } from './wing-gong.ts';

const NEVER = Number.POSITIVE_INFINITY;
/** Above this many calls a window is shown as it is: trying each call would take too long. */
const MAX_CALLS_TO_THIN = 60;
/** A search for a smaller window that is not over by then does not find one. */
const MAX_WINDOW_STEPS = 50_000;

export interface Window {
  /** In order of invocation. Those whose answer does not count any more are complete at Infinity. */
  calls: KeyCall[];
  /** What the key held at its start. */
  initial: KeyState;
}

/**
 * The shortest part of an illegal history that is illegal by itself. Each step only allows more than the one before,
 * so that what is left is a violation and not an artefact of cutting.
 */
export function smallestWindow(calls: readonly KeyCall[], initial: KeyState): Window {
  const isIllegal = (some: readonly KeyCall[], from: KeyState): boolean =>
    linearize(keyModel(from), some, MAX_WINDOW_STEPS).outcome === 'violation';
  const ends = times(calls.map(({ complete }) => complete));
  const end = ends[firstIndex(ends, (at) => isIllegal(until(calls, at), initial))];
  let window: Window = { calls: end === undefined ? [...calls] : until(calls, end), initial };
  const starts = times(window.calls.map(({ invoke }) => invoke)).reverse();
  const start = starts[firstIndex(starts, (at) => isIllegal(since(window.calls, at), 'any'))];
  if (start !== undefined) window = { calls: since(window.calls, start), initial: 'any' };
  window = { ...window, calls: thin(window, isIllegal) };
  window.calls.sort((a, b) => a.invoke - b.invoke);
  return window;
}

/** Ascending, each once, none infinite. */
function times(all: number[]): number[] {
  return [...new Set(all.filter(Number.isFinite))].sort((a, b) => a - b);
}

/** The first index at which a predicate holds that holds from some index on. */
function firstIndex<T>(list: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(list[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The history as it was known at a time: what was not answered yet may or may not have taken effect. */
function until(calls: readonly KeyCall[], atMs: number): KeyCall[] {
  return calls.flatMap((call) => {
    if (call.invoke > atMs) return [];
    if (call.complete <= atMs) return [call];
    const { guards, foreignGuards, success, failure } = call.op;
    const blank = (actions: typeof success) =>
      actions.map((action) => {
        if (action.kind === 'get') return { kind: 'get', answer: undefined } as const;
        return action.kind === 'put' ? action : ({ kind: 'delete', deleted: undefined } as const);
      });
    const branches = { success: blank(success), failure: blank(failure) };
    const op = { guards, foreignGuards, succeeded: undefined, revision: undefined, ...branches };
    return [{ ...call, complete: NEVER, op }];
  });
}

/** The history from a time on: what was under way then may have taken effect before. */
function since(calls: readonly KeyCall[], atMs: number): KeyCall[] {
  return calls.flatMap((call) => {
    if (call.complete < atMs) return [];
    return call.invoke >= atMs ? [call] : [{ ...call, complete: NEVER }];
  });
}

/** Leaves out reads, and lets writes be optional, as long as no order is found all the same. */
function thin(
  { calls, initial }: Window,
  isIllegal: (some: readonly KeyCall[], from: KeyState) => boolean,
): KeyCall[] {
  if (calls.length > MAX_CALLS_TO_THIN) return calls;
  let left = calls;
  for (const call of calls) {
    const others = left.filter((other) => other !== call);
    const writes = [...call.op.success, ...call.op.failure].some(({ kind }) => kind !== 'get');
    const weaker = writes ? [...others, { ...call, complete: NEVER }] : others;
    if (isIllegal(weaker, initial)) left = weaker;
  }
  // What was called after the last answer that counts cannot have helped.
  const last = Math.max(...left.map(({ complete }) => complete).filter(Number.isFinite));
  return left.filter(({ invoke }) => invoke <= last);
}
