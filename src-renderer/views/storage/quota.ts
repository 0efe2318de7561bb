import type { StorageMember, StorageView } from '../../../src-main/contract/views.ts';

export type Level = 'normal' | 'warn' | 'danger';

/** Shares of the quota from which a gauge warns, and from which it is all but full. */
export const WARN_SHARE = 0.8;
export const DANGER_SHARE = 0.95;

export interface Gauge {
  name: string;
  memberId: string;
  role: StorageMember['role'];
  sizeBytes: number;
  inUseBytes: number;
  /** What defragmenting would give back. */
  freeBytes: number;
  /** 0 to 1 of the bar's full length: in use, then free pages. */
  inUseShare: number;
  freeShare: number;
  level: Level;
}

export function levelOf(share: number): Level {
  if (share >= DANGER_SHARE) return 'danger';
  return share >= WARN_SHARE ? 'warn' : 'normal';
}

/**
 * The bar's full length: the quota; where it is unknown, the largest member, so that the bars still
 * compare. A database may stand a little above its quota, since the alarm is raised only by the
 * write that crosses it.
 */
export function scaleBytes(view: StorageView): number {
  const largest = Math.max(1, ...view.members.map((member) => member.dbSizeBytes));
  return view.quotaBytes === null ? largest : Math.max(view.quotaBytes, largest);
}

export function gauges(view: StorageView): Gauge[] {
  const scale = scaleBytes(view);
  return view.members.map((member) => {
    // The two figures are read apart, so that in use can briefly exceed the size.
    const inUseBytes = Math.min(member.dbSizeInUseBytes, member.dbSizeBytes);
    const freeBytes = member.dbSizeBytes - inUseBytes;
    return {
      name: member.name,
      memberId: member.memberId,
      role: member.role,
      sizeBytes: member.dbSizeBytes,
      inUseBytes,
      freeBytes,
      inUseShare: inUseBytes / scale,
      freeShare: freeBytes / scale,
      level: view.quotaBytes === null ? 'normal' : levelOf(member.dbSizeBytes / view.quotaBytes),
    };
  });
}

/** The member nearest to its quota: the one that will raise the alarm. */
export function fullest(list: readonly Gauge[]): Gauge | null {
  return list.reduce<Gauge | null>(
    (most, gauge) => (most === null || gauge.sizeBytes > most.sizeBytes ? gauge : most),
    null,
  );
}
