import type { Owner, SimEvent, World } from './world.ts';

/** Where a process can be made to die. */
export type CrashStep = 'write' | 'sync' | 'synced' | 'send' | 'apply' | 'flush';

/** One run of a member: what it was doing ends with it. */
export class SimProcess implements Owner {
  alive = true;
  paused = false;
  readonly #world: World;
  readonly #onCrash: () => void;
  #deferred: SimEvent[] = [];
  #armed: { step: CrashStep; left: number } | undefined;

  constructor(world: World, onCrash: () => void) {
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
    for (const event of this.#deferred.splice(0)) this.#world.again(event);
  }

  /** Lets it die when it passes that step for the `count`th time from now. */
  armCrash(step: CrashStep, count: number): void {
    this.#armed = { step, left: count };
  }

  disarm(): void {
    this.#armed = undefined;
  }

  /** It passes a step. False: it has died, and nothing it does from here on has an effect. */
  passes(step: CrashStep): boolean {
    const armed = this.#armed;
    if (this.alive && armed?.step === step && --armed.left <= 0) {
      this.#armed = undefined;
      this.#onCrash();
    }
    return this.alive;
  }
}

/** For whoever waits for a process that has died. */
export function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}
