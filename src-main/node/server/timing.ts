/** The finest tick: below it timers are noise. */
const MIN_TICK_MS = 5;
/** Ticks in one election timeout, so that two candidates rarely draw the same one (thesis 9.3). */
const ELECTION_RESOLUTION = 20;

/** Translates milliseconds into Raft's ticks. The heartbeat is kept exact within one tick. */
export function raftTiming(
  heartbeatMs: number,
  electionMs: number,
): { tickMs: number; heartbeatTicks: number; electionTicks: number } {
  const tickMs = Math.max(MIN_TICK_MS, Math.min(heartbeatMs, electionMs / ELECTION_RESOLUTION));
  return {
    tickMs,
    heartbeatTicks: Math.max(1, Math.round(heartbeatMs / tickMs)),
    electionTicks: Math.max(2, Math.round(electionMs / tickMs)),
  };
}
