import type { ClusterOverview, NodeRole } from '../../../src-main/contract/views.ts';

/** Span that the lanes show. */
export const HISTORY_MS = 120_000;
/** Span at first, so that a view that was just opened is not all empty. */
export const FIRST_SPAN_MS = 20_000;
/** Runs kept per node: at one change per overview this is far more than fits the span. */
export const MAX_RUNS = 1_000;

export interface RoleRun {
  role: NodeRole;
  fromMs: number;
  toMs: number;
  term: number | null;
}

/** Who was what when, since the view was opened: runs of the same role and term, oldest first. */
export class RoleHistory {
  #lanes = $state.raw<ReadonlyMap<string, readonly RoleRun[]>>(new Map());
  startedAtMs = $state<number | null>(null);

  /** Span to show now: it grows with what is known, up to HISTORY_MS. */
  spanMs(atMs: number): number {
    const knownMs = atMs - (this.startedAtMs ?? atMs);
    return Math.min(HISTORY_MS, Math.max(FIRST_SPAN_MS, Math.ceil(knownMs / 1_000) * 1_000));
  }

  get lanes(): ReadonlyMap<string, readonly RoleRun[]> {
    return this.#lanes;
  }

  take(overview: ClusterOverview): void {
    const { atMs } = overview;
    this.startedAtMs ??= atMs;
    const lanes = new Map<string, readonly RoleRun[]>();
    for (const { name, role, term } of overview.nodes) {
      const runs = this.#lanes.get(name) ?? [];
      lanes.set(name, extended(runs, { role, term, fromMs: atMs, toMs: atMs }));
    }
    this.#lanes = lanes;
  }
}

function extended(runs: readonly RoleRun[], now: RoleRun): readonly RoleRun[] {
  const last = runs[runs.length - 1];
  // A node that is down tells no term: it is the same run as long as the role stays.
  const isSame =
    last !== undefined && last.role === now.role && (now.term === null || last.term === now.term);
  // Runs touch: the change was seen now, and what was before is taken to have lasted until then.
  const upToNow = last === undefined ? [] : [{ ...last, toMs: now.toMs }];
  const all = [...runs.slice(0, -1), ...upToNow, ...(isSame ? [] : [now])];
  return all.filter((run) => run.toMs >= now.toMs - HISTORY_MS).slice(-MAX_RUNS);
}

/** A run's place on the lane, as fractions of the span that ends now. */
export function placeOf(
  run: RoleRun,
  nowMs: number,
  spanMs: number,
): { left: number; width: number } {
  const from = Math.max(run.fromMs, nowMs - spanMs);
  const to = Math.min(Math.max(run.toMs, from), nowMs);
  return { left: (from - (nowMs - spanMs)) / spanMs, width: (to - from) / spanMs };
}
