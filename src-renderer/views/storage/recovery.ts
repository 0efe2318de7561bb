import type { StorageView } from '../../../src-main/contract/views.ts';

/**
 * The way out of NOSPACE, in etcd's own order: make room inside the file, give it back, lift the
 * alarm.
 */
export type StepId = 'readRevision' | 'compact' | 'defragment' | 'disarm';
export type StepState = 'done' | 'next' | 'later';

export interface RecoveryStep {
  id: StepId;
  state: StepState;
}

/** What was done from here since the alarm appeared: the store does not tell. */
export interface RecoveryFacts {
  /** The revision that was compacted to, or null. */
  compactedTo: number | null;
  /** Ids of the members that were defragmented. */
  defragmented: ReadonlySet<string>;
}

export function noSpaceAlarms(view: StorageView): StorageView['alarms'] {
  return view.alarms.filter((alarm) => alarm.type === 'NOSPACE');
}

/** Members that still stand at or over the quota: the alarm would come straight back. */
export function overQuota(view: StorageView): string[] {
  const quota = view.quotaBytes;
  if (quota === null) return [];
  return view.members.filter((m) => m.dbSizeBytes >= quota).map((m) => m.name);
}

/** Members that have not been defragmented since the alarm. */
export function toDefragment(view: StorageView, facts: RecoveryFacts): string[] {
  return view.members.filter((m) => !facts.defragmented.has(m.memberId)).map((m) => m.name);
}

/**
 * The steps with their states; null without a NOSPACE alarm. A compaction made elsewhere counts
 * once nothing is left between it and the current revision.
 */
export function recoverySteps(view: StorageView, facts: RecoveryFacts): RecoveryStep[] | null {
  if (noSpaceAlarms(view).length === 0) return null;
  const compacted =
    facts.compactedTo !== null ||
    (view.compactRevision !== null && view.compactRevision >= view.revision);
  const done: Record<StepId, boolean> = {
    readRevision: true,
    compact: compacted,
    defragment: compacted && view.members.length > 0 && toDefragment(view, facts).length === 0,
    disarm: false,
  };
  const order: StepId[] = ['readRevision', 'compact', 'defragment', 'disarm'];
  const next = order.find((id) => !done[id]);
  return order.map((id) => ({
    id,
    state: done[id] ? 'done' : id === next ? 'next' : 'later',
  }));
}
