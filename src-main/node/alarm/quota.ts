import type { StateMachineOptions } from '../apply/types.ts';
import type { StateStore } from '../storage/types.ts';

/** etcd's default for --quota-backend-bytes. */
export const DEFAULT_QUOTA_BYTES: number = 2 * 1024 * 1024 * 1024;

/** The quota in force in bytes: 0 means the default, a negative flag none (Infinity). */
export function effectiveQuotaBytes(quotaBytes: number): number {
  if (quotaBytes === 0) return DEFAULT_QUOTA_BYTES;
  return quotaBytes < 0 ? Number.POSITIVE_INFINITY : quotaBytes;
}

/**
 * Whether `extraBytes` more would reach the quota. For the proposer alone: file sizes differ
 * between members, so apply looks at the NOSPACE alarm instead, which is the same everywhere.
 */
export function quotaExceeded(
  store: StateStore,
  options: Pick<StateMachineOptions, 'quotaBytes'>,
  extraBytes: number,
): boolean {
  const quota = effectiveQuotaBytes(options.quotaBytes);
  return quota !== Number.POSITIVE_INFINITY && store.size().fileBytes + extraBytes >= quota;
}
