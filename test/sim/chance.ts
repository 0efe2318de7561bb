import { type Random, seededRandom } from '../../src-main/base/prng.ts';

/** Draws from one seed. Each part of the simulator has a source of its own, so that leaving one out does not change what the others draw. */
export class Chance implements Random {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    // Neighbouring seeds begin alike.
    this.#random.below(2);
  }

  /** An independent source, named so that it does not depend on the order of asking. */
  static of(seed: number, name: string): Chance {
    let mixed = seed >>> 0;
    for (const character of name) {
      mixed = Math.imul(mixed ^ character.charCodeAt(0), 0x9e3779b1) >>> 0;
      mixed = (mixed ^ (mixed >>> 15)) >>> 0;
    }
    return new Chance(mixed);
  }

  below(bound: number): number {
    return this.#random.below(bound);
  }

  /** In [0, 1). */
  share(): number {
    return this.#random.below(0x1000000) / 0x1000000;
  }

  happens(probability: number): boolean {
    return probability > 0 && this.share() < probability;
  }

  between(low: number, high: number): number {
    return low + this.share() * (high - low);
  }

  integer(low: number, high: number): number {
    return low + this.#random.below(high - low + 1);
  }

  /** Mostly near the mean, now and then far above it; never above twenty times the mean. */
  around(mean: number): number {
    return Math.min(-Math.log(1 - this.share()), 20) * mean;
  }

  pick<T>(list: readonly T[]): T | undefined {
    return list.length === 0 ? undefined : list[this.#random.below(list.length)];
  }

  /** Some of the list, at least `least`, in random order. */
  some<T>(list: readonly T[], least: number, most: number): T[] {
    const count = Math.min(list.length, this.integer(least, most));
    return this.shuffled(list).slice(0, count);
  }

  shuffled<T>(list: readonly T[]): T[] {
    const copy = [...list];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.#random.below(i + 1);
      [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
    }
    return copy;
  }
}
