/** What the code may know of time. Only drivers own a real one; the simulator passes its own. */
export interface Clock {
  /** Monotonic, milliseconds. */
  nowMs(): number;
  /** Calls back once after `delayMs`; the result cancels it. */
  setTimer(delayMs: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
