import { describe, expect, it } from 'vitest';
import { Chaos, type ChaosOptions } from './testing/chaos.ts';

/**
 * More seeds and steps for a long run: RAFT_SEEDS=5000 RAFT_STEPS=5000 RAFT_SEED=1 vitest run ...
 */
const SEEDS = Number(process.env.RAFT_SEEDS ?? 120);
const STEPS = Number(process.env.RAFT_STEPS ?? 2000);
const TIMEOUT_MS = 60_000 + SEEDS * STEPS;
const FIRST = Number(process.env.RAFT_SEED ?? 1);

interface Tally {
  committed: number;
  installs: number;
  reads: number;
}

/** What happened counts: a run in which nothing did proves nothing. */
function runSeeds(options: Omit<ChaosOptions, 'seed' | 'steps'>): Tally {
  const tally = { committed: 0, installs: 0, reads: 0 };
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const chaos = new Chaos({ ...options, seed, steps: STEPS });
    try {
      chaos.run();
    } catch (error) {
      const replay = `RAFT_SEED=${seed} RAFT_SEEDS=1 RAFT_STEPS=${STEPS}`;
      throw new Error(`${replay} fails: ${error}\n${chaos.cluster.describe()}`, { cause: error });
    }
    tally.committed += chaos.cluster.oracle.maxCommit;
    for (const node of chaos.cluster.nodes) {
      tally.installs += node.installs;
      tally.reads += node.confirmedReads.length;
    }
  }
  return tally;
}

function expectBusy(tally: Tally): void {
  expect(tally.committed).toBeGreaterThan(SEEDS * 10);
  expect(tally.reads).toBeGreaterThan(SEEDS * 3);
  if (SEEDS >= 20) expect(tally.installs).toBeGreaterThan(SEEDS / 20);
}

describe('random clusters keep every promise and converge once faults end', () => {
  it(
    'three members',
    () => {
      expectBusy(runSeeds({ voters: 3 }));
    },
    TIMEOUT_MS,
  );

  it(
    'five members',
    () => {
      expectBusy(runSeeds({ voters: 5 }));
    },
    TIMEOUT_MS,
  );

  it(
    'members that come and go',
    () => {
      expectBusy(runSeeds({ voters: 3, spares: 2, conf: true }));
    },
    TIMEOUT_MS,
  );

  it(
    'a single member that grows',
    () => {
      expectBusy(runSeeds({ voters: 1, spares: 3, conf: true }));
    },
    TIMEOUT_MS,
  );
});
