/** A source of randomness that can be seeded, so that one seed replays a run. */
export interface Random {
  /** An integer in [0, bound). */
  below(bound: number): number;
}

/** splitmix32: small, fast, good enough for time-outs and tests; never for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    below(bound) {
      state = (state + 0x9e3779b9) >>> 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return Math.floor((((z ^ (z >>> 15)) >>> 0) / 2 ** 32) * bound);
    },
  };
}
