/** xorshift32: a number below `limit` in a few nanoseconds. */
export class FastRandom {
  #state: number;

  constructor(seed: number) {
    // Zero would stay zero, and neighbouring seeds begin alike.
    this.#state = (Math.imul(seed + 1, 0x9e37_79b1) | 1) >>> 0;
    for (let i = 0; i < 8; i++) this.below(1);
  }

  below(limit: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state % limit;
  }
}
