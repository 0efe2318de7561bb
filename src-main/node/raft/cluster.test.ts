import { describe, expect, it } from 'vitest';
import { Chaos, type ChaosOptions } from './testing/chaos.ts';

/** More seeds and steps for a long run: RAFT_SEEDS=5000 RAFT_STEPS=5000 RAFT_SEED=1 vitest run ... */
const SEEDS = Number(process.env.RAFT_SEEDS ?? 100);
const STEPS = Number(process.env.RAFT_STEPS ?? 2000);
const FIRST = Number(process.env.RAFT_SEED ?? 1);

function runSeeds(options: Omit<ChaosOptions, 'seed' | 'steps'>): number {
  let committed = 0;
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const chaos = new Chaos({ ...options, seed, steps: STEPS });
    try {
      chaos.run();
    } catch (error) {
      const replay = `RAFT_SEED=${seed} RAFT_SEEDS=1 RAFT_STEPS=${STEPS}`;
      throw new Error(`${replay} fails: ${error}\n${chaos.cluster.describe()}`, { cause: error });
    }
    committed += chaos.cluster.oracle.maxCommit;
  }
  return committed;
}

describe('random clusters keep every promise and converge once faults end', () => {
  it('three members', () => {
    expect(runSeeds({ voters: 3 })).toBeGreaterThan(SEEDS * 10);
  });

  it('five members', () => {
    expect(runSeeds({ voters: 5 })).toBeGreaterThan(SEEDS * 10);
  });

  it('members that come and go', () => {
    expect(runSeeds({ voters: 3, spares: 2, conf: true })).toBeGreaterThan(SEEDS * 10);
  });

  it('a single member that grows', () => {
    expect(runSeeds({ voters: 1, spares: 3, conf: true })).toBeGreaterThan(SEEDS * 10);
  });
});
