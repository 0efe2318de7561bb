import type { Clock } from '../../base/clock.ts';
import {
  DiskError,
  type DiskFault,
  FaultSet,
  type LinkFault,
} from '../../proto/raftdeck/inspect.ts';

/** Longer than any of these is not a fault but a mistake, and a member that nobody can reach any more. */
export const MAX_DELAY_MS = 60_000;
export const MAX_DURATION_MS = 3_600_000;
export const MAX_LINKS = 64;

const NO_DISK_FAULT: DiskFault = { syncDelayMs: 0, error: DiskError.NONE };

/**
 * What is wrong on purpose with one member's links and disk. Everything that it does goes through the node's own way to
 * the world (server/io.ts); nothing else of the node knows of it.
 */
export class Faults {
  readonly #clock: Clock;
  readonly #listeners: (() => void)[] = [];
  #links = new Map<bigint, LinkFault>();
  #disk = NO_DISK_FAULT;
  #endsAtMs: number | undefined;
  #cancelEnd: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined: nothing is wrong with it. */
  link(peer: bigint): LinkFault | undefined {
    return this.#links.get(peer);
  }

  get disk(): Readonly<DiskFault> {
    return this.#disk;
  }

  /** What is in force, with the time that is left of it. */
  get(): FaultSet {
    const left = this.#endsAtMs === undefined ? 0 : this.#endsAtMs - this.#clock.nowMs();
    return {
      links: [...this.#links.values()],
      disk: this.#disk,
      // 0 would say for ever.
      durationMs: this.#endsAtMs === undefined ? 0 : Math.max(1, Math.round(left)),
    };
  }

  /** Replaces all of it. */
  set({ links, disk, durationMs }: FaultSet): void {
    this.#cancelEnd();
    this.#cancelEnd = () => {};
    this.#endsAtMs = undefined;
    this.#links = new Map(links.map((link) => [link.peer, link]));
    this.#disk = disk ?? NO_DISK_FAULT;
    if (durationMs > 0) {
      this.#endsAtMs = this.#clock.nowMs() + durationMs;
      this.#cancelEnd = this.#clock.setTimer(durationMs, () => this.heal());
    }
    for (const listener of this.#listeners) listener();
  }

  heal(): void {
    this.set(FaultSet.fromPartial({}));
  }

  /** Called whenever other faults, or none, are in force. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }
}

/** What is wrong with a set that somebody asks for, in words for them; undefined if nothing is. */
export function refusalOfFaults({ links, disk, durationMs }: FaultSet): string | undefined {
  if (links.length > MAX_LINKS) return `at most ${MAX_LINKS} links`;
  if (new Set(links.map(({ peer }) => peer)).size < links.length) return 'a link is named twice';
  if (links.some(({ peer }) => peer === 0n)) return 'a link must name the member at its other end';
  const delays = [...links.map(({ delayMs }) => delayMs), disk?.syncDelayMs ?? 0];
  if (delays.some((ms) => ms > MAX_DELAY_MS)) return `at most ${MAX_DELAY_MS} ms of delay`;
  if (links.some(({ lossPerMille }) => lossPerMille > 1_000)) {
    return 'of a thousand messages at most a thousand are lost';
  }
  if (durationMs > MAX_DURATION_MS) return `at most ${MAX_DURATION_MS} ms`;
  const errors: (number | undefined)[] = [DiskError.NONE, DiskError.FULL, DiskError.BROKEN];
  if (!errors.includes(disk?.error ?? DiskError.NONE)) return 'no such error of a disk';
  return undefined;
}
