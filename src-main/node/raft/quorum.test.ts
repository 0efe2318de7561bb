import { describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '../../base/prng.ts';
import { jointCommitted, jointVote, majorityCommitted, majorityVote, NO_LIMIT } from './quorum.ts';

function randomSet(random: Random, max: number): Set<bigint> {
  const set = new Set<bigint>();
  const size = random.below(max + 1);
  while (set.size < size) set.add(BigInt(random.below(max + 2) + 1));
  return set;
}

/** By definition: the highest index that more than half have reached. */
function bruteForce(voters: ReadonlySet<bigint>, acked: Map<bigint, number>): number {
  if (voters.size === 0) return NO_LIMIT;
  for (let index = 20; index >= 0; index--) {
    const reached = [...voters].filter((id) => (acked.get(id) ?? 0) >= index).length;
    if (reached > voters.size / 2) return index;
  }
  throw new Error('index 0 is always reached');
}

describe('quorum', () => {
  it('commits what a majority has', () => {
    const acked = (values: number[]) => (id: bigint) => values[Number(id) - 1] ?? 0;
    expect(majorityCommitted(new Set([1n]), acked([7]))).toBe(7);
    expect(majorityCommitted(new Set([1n, 2n]), acked([7, 3]))).toBe(3);
    expect(majorityCommitted(new Set([1n, 2n, 3n]), acked([7, 3, 5]))).toBe(5);
    expect(majorityCommitted(new Set([1n, 2n, 3n, 4n]), acked([7, 3, 5, 6]))).toBe(5);
    expect(majorityCommitted(new Set(), acked([]))).toBe(NO_LIMIT);
  });

  it('agrees with brute force for any joint configuration', () => {
    const random = seededRandom(42);
    for (let run = 0; run < 5000; run++) {
      const sets = { incoming: randomSet(random, 7), outgoing: randomSet(random, 5) };
      const acked = new Map<bigint, number>();
      for (let id = 1n; id <= 9n; id++) if (random.below(4) > 0) acked.set(id, random.below(20));
      const expected = Math.min(bruteForce(sets.incoming, acked), bruteForce(sets.outgoing, acked));
      expect(jointCommitted(sets, (id) => acked.get(id) ?? 0)).toBe(expected);
    }
  });

  it('decides votes as soon as they are decided, and not before', () => {
    const voters = new Set([1n, 2n, 3n, 4n]);
    const votes = (given: Record<string, boolean>) => (id: bigint) => given[String(id)];
    expect(majorityVote(voters, votes({ 1: true, 2: true }))).toBe('pending');
    expect(majorityVote(voters, votes({ 1: true, 2: true, 3: true }))).toBe('won');
    expect(majorityVote(voters, votes({ 1: true, 2: false }))).toBe('pending');
    expect(majorityVote(voters, votes({ 3: false, 2: false }))).toBe('lost');
    expect(majorityVote(new Set(), votes({}))).toBe('won');
  });

  it('counts a joint vote as won, lost or pending as every completion of it would be', () => {
    const random = seededRandom(7);
    for (let run = 0; run < 500; run++) {
      const sets = { incoming: randomSet(random, 3), outgoing: randomSet(random, 3) };
      const votes = new Map<bigint, boolean>();
      const open: bigint[] = [];
      for (const id of new Set([...sets.incoming, ...sets.outgoing])) {
        if (random.below(2) === 0) votes.set(id, random.below(2) === 0);
        else open.push(id);
      }
      const outcomes = new Set<string>();
      for (let bits = 0; bits < 1 << open.length; bits++) {
        const full = new Map(votes);
        open.forEach((id, i) => {
          full.set(id, ((bits >> i) & 1) === 1);
        });
        outcomes.add(jointVote(sets, (id) => full.get(id)));
      }
      const expected = outcomes.size === 1 ? [...outcomes][0] : 'pending';
      expect(jointVote(sets, (id) => votes.get(id))).toBe(expected);
    }
  });
});
