import type { Owner, SimEvent, World } from './world.ts';

/** Where a process can be made to die. */
export type CrashStep = 'write' | 'sync' | 'synced' | 'send' | 'apply' | 'flush' | 'import';

/** One run of a member: what it was doing ends with it. */
export class SimProcess implements Owner {
  alive = true;
  paused = false;
  readonly #world: World;
  readonly #onCrash: (power: boolean) => void;
  /** How much later than the rest a way's frames are read after a pause: sockets are read in any order. */
  laneDelayMs: () => number = () => 0;
  #deferred: SimEvent[] = [];
  #armed: { step: CrashStep; left: number; power: boolean } | undefined;

  constructor(world: World, onCrash: (power: boolean) => void) {
    this.#world = world;
    this.#onCrash = onCrash;
  }

  defer(event: SimEvent): void {
    this.#deferred.push(event);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    const delays = new Map<object, number>();
    for (const event of this.#deferred.splice(0)) {
      const { lane } = event;
      if (lane !== undefined && !delays.has(lane)) delays.set(lane, this.laneDelayMs());
      this.#world.again(event, lane === undefined ? 0 : (delays.get(lane) ?? 0));
    }
  }

  /** Lets it die when it passes that step for the `count`th time from now, alone or with the machine's power. */
  armCrash(step: CrashStep, count: number, power: boolean): void {
    this.#armed = { step, left: count, power };
  }

  disarm(): void {
    this.#armed = undefined;
  }

  /** It passes a step. False: it has died, and nothing it does from here on has an effect. */
  passes(step: CrashStep): boolean {
    const armed = this.#armed;
    if (this.alive && armed?.step === step && --armed.left <= 0) {
      this.#armed = undefined;
      this.#onCrash(armed.power);
    }
    return this.alive;
  }
}

/** For whoever waits for a process that has died. */
export function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}
