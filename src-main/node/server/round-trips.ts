import { type Message, MessageType } from '../../proto/raftdeck/raft.ts';

const MICROSECONDS = 1_000;

/**
 * How long a leader's heartbeats take to be answered. One at a time and member is followed: the answer to a later one
 * may come before that to one that was lost.
 */
export class RoundTrips {
  readonly #nowMs: () => number;
  readonly #limitMs: number;
  readonly #sentAtMs = new Map<bigint, number>();
  readonly #roundTripUs = new Map<bigint, number>();

  /** `limitMs`: an answer that comes later belongs to another heartbeat. */
  constructor(nowMs: () => number, limitMs: number) {
    this.#nowMs = nowMs;
    this.#limitMs = limitMs;
  }

  sent(messages: readonly Message[]): void {
    for (const { type, to } of messages) {
      if (type !== MessageType.HEARTBEAT) continue;
      const nowMs = this.#nowMs();
      const sentAtMs = this.#sentAtMs.get(to);
      if (sentAtMs === undefined || nowMs - sentAtMs > this.#limitMs) {
        this.#sentAtMs.set(to, nowMs);
      }
    }
  }

  received(from: bigint, messages: readonly Message[]): void {
    if (!messages.some(({ type }) => type === MessageType.HEARTBEAT_RESPONSE)) return;
    const sentAtMs = this.#sentAtMs.get(from);
    if (sentAtMs === undefined) return;
    this.#sentAtMs.delete(from);
    const tookMs = this.#nowMs() - sentAtMs;
    if (tookMs <= this.#limitMs) this.#roundTripUs.set(from, Math.round(tookMs * MICROSECONDS));
  }

  /** The newest; 0 if none was measured. */
  roundTripUs(member: bigint): number {
    return this.#roundTripUs.get(member) ?? 0;
  }

  /** Whoever leads no more has old figures, and those that left have none. */
  forget(): void {
    this.#sentAtMs.clear();
    this.#roundTripUs.clear();
  }
}
