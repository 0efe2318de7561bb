import { describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '../../base/prng.ts';
import { type ConfChange, ConfChangeSingle_Type as Type } from '../../proto/raftdeck/raft.ts';
import {
  applyChange,
  type Configuration,
  configurationOf,
  confStateOf,
  enterJoint,
  isJoint,
  leaveJoint,
} from './confchange.ts';

type Single = ConfChange['changes'][number];

function config(voters: bigint[], learners: bigint[] = []): Configuration {
  const rest = { votersOutgoing: [], learnersNext: [], autoLeave: false };
  return configurationOf({ voters, learners, ...rest });
}

function change(changes: Single[], explicitJoint = false): ConfChange {
  return { changes, explicitJoint, context: Buffer.alloc(0) };
}

const add = (nodeId: bigint): Single => ({ type: Type.ADD_VOTER, nodeId });
const remove = (nodeId: bigint): Single => ({ type: Type.REMOVE, nodeId });
const learn = (nodeId: bigint): Single => ({ type: Type.ADD_LEARNER, nodeId });

describe('configuration changes', () => {
  it('change one voter at once', () => {
    const next = confStateOf(applyChange(config([1n, 2n]), change([add(3n)])));
    expect(next).toMatchObject({ voters: [1n, 2n, 3n], votersOutgoing: [], autoLeave: false });
    const less = confStateOf(applyChange(config([1n, 2n]), change([remove(1n)])));
    expect(less.voters).toEqual([2n]);
  });

  it('change any number of learners at once', () => {
    const next = applyChange(config([1n]), change([learn(2n), learn(3n)]));
    expect(confStateOf(next)).toMatchObject({ voters: [1n], learners: [2n, 3n] });
    const promoted = applyChange(next, change([add(2n)]));
    expect(confStateOf(promoted)).toMatchObject({ voters: [1n, 2n], learners: [3n] });
  });

  it('go through a joint configuration for more voters, and leave it', () => {
    const joint = applyChange(config([1n, 2n, 3n]), change([add(4n), remove(1n), learn(2n)]));
    expect(confStateOf(joint)).toEqual({
      voters: [3n, 4n],
      votersOutgoing: [1n, 2n, 3n],
      learners: [],
      learnersNext: [2n],
      autoLeave: true,
    });
    expect(confStateOf(applyChange(joint, change([])))).toEqual({
      voters: [3n, 4n],
      votersOutgoing: [],
      learners: [2n],
      learnersNext: [],
      autoLeave: false,
    });
  });

  it('stay joint until told when asked explicitly', () => {
    const joint = applyChange(config([1n]), change([add(2n)], true));
    expect(confStateOf(joint)).toMatchObject({ votersOutgoing: [1n], autoLeave: false });
    expect(isJoint(applyChange(joint, change([])))).toBe(false);
  });

  it('refuse what cannot be', () => {
    const joint = applyChange(config([1n]), change([add(2n)], true));
    const refused: [Configuration, ConfChange, string][] = [
      [config([1n]), change([remove(1n)]), 'last voter'],
      [config([1n]), change([learn(1n)]), 'last voter'],
      [config([1n]), change([]), 'no joint configuration'],
      [joint, change([add(3n)]), 'in force'],
      [config([1n]), change([add(0n)]), 'names no member'],
      [config([1n]), change([{ type: 9 as 0, nodeId: 2n }]), 'unknown change'],
    ];
    for (const [before, wrong, why] of refused) {
      const error = expect.objectContaining({
        code: 'InvalidConfChange',
        message: expect.stringContaining(why),
      });
      expect(() => applyChange(before, wrong)).toThrow(error);
    }
    const both = { votersOutgoing: [], learnersNext: [], autoLeave: false };
    expect(() => configurationOf({ voters: [1n], learners: [1n], ...both })).toThrow('both');
  });

  it('change nothing in the configuration they start from', () => {
    const before = config([1n, 2n, 3n], [4n]);
    applyChange(before, change([add(4n), remove(1n), remove(2n)]));
    expect(confStateOf(before)).toMatchObject({ voters: [1n, 2n, 3n], learners: [4n] });
  });

  it('come to the same by the simple way and by the joint one', () => {
    const random = seededRandom(11);
    let compared = 0;
    for (let run = 0; run < 3000; run++) {
      const before = randomConfiguration(random);
      const changes = randomChanges(random);
      const simple = attempt(() => applyChange(before, change(changes)));
      const joint = attempt(() => leaveJoint(enterJoint(before, changes, true)));
      if (simple === undefined || joint === undefined) {
        expect(simple).toBe(joint);
        continue;
      }
      const direct = isJoint(simple) ? leaveJoint(simple) : simple;
      expect(confStateOf(direct)).toEqual(confStateOf(joint));
      if (!isJoint(simple)) compared++;
    }
    expect(compared).toBeGreaterThan(500);
  });

  it('keep the quorums of neighbouring configurations overlapping', () => {
    const random = seededRandom(12);
    for (let run = 0; run < 500; run++) {
      const before = randomConfiguration(random);
      const after = attempt(() => applyChange(before, change(randomChanges(random))));
      if (after === undefined) continue;
      expect(disjointQuorums(before, after)).toBe(false);
      if (isJoint(after)) expect(disjointQuorums(after, leaveJoint(after))).toBe(false);
    }
  });
});

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

function randomConfiguration(random: Random): Configuration {
  const voters: bigint[] = [];
  const learners: bigint[] = [];
  for (let id = 1n; id <= 5n; id++) {
    const kind = random.below(3);
    if (kind === 0) learners.push(id);
    else if (kind === 1) voters.push(id);
  }
  if (voters.length === 0) voters.push(6n);
  return config(voters, learners);
}

function randomChanges(random: Random): Single[] {
  const make = [add, remove, learn];
  return Array.from({ length: 1 + random.below(3) }, () => {
    const id = BigInt(random.below(6) + 1);
    return (make[random.below(3)] ?? add)(id);
  });
}

/** Whether some members decide by one configuration while all the others decide by the other. */
function disjointQuorums(a: Configuration, b: Configuration): boolean {
  const decides = (c: Configuration, has: (id: bigint) => boolean) =>
    [c.incoming, c.outgoing].every((half) => {
      return half.size === 0 || [...half].filter(has).length > half.size / 2;
    });
  for (let bits = 0; bits < 1 << 7; bits++) {
    const inside = (id: bigint) => ((bits >> Number(id)) & 1) === 1;
    if (decides(a, inside) && decides(b, (id) => !inside(id))) return true;
  }
  return false;
}
