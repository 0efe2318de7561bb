/** Below this a lease is about to expire: its meter turns red. */
export const EXPIRING_MS = 5_000;
/** Servers tell whole seconds, so a reading is right to within one second either way. */
const READING_ERROR_MS = 1_000;

/**
 * When a lease ends, on this machine's clock. Readings come once a second and in whole seconds;
 * following each of them would make the countdown stutter, so an estimate that a reading does not
 * contradict is kept.
 */
export function estimateEnd(
  previousEndMs: number | null,
  ttlSeconds: number,
  nowMs: number,
): number {
  const readEndMs = nowMs + ttlSeconds * 1_000;
  if (previousEndMs === null) return readEndMs;
  return Math.abs(previousEndMs - readEndMs) <= READING_ERROR_MS ? previousEndMs : readEndMs;
}

/** Time left, never negative. */
export function remainingMs(endMs: number, nowMs: number): number {
  return Math.max(0, endMs - nowMs);
}

/** Share of the granted TTL that is left, 0 to 1. */
export function remainingShare(leftMs: number, grantedTtlSeconds: number): number {
  if (grantedTtlSeconds <= 0) return 0;
  return Math.min(1, Math.max(0, leftMs / (grantedTtlSeconds * 1_000)));
}

/** Seconds as people count down: 4.2 s left reads 5 until it is under 4. */
export function wholeSeconds(leftMs: number): number {
  return Math.ceil(leftMs / 1_000);
}
