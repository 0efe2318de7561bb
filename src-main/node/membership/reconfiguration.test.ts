import { describe, expect, it } from 'vitest';
import { Member } from '../../proto/etcd/rpc.ts';
import {
  HEALTH_INTERVAL_MS,
  mayAddVoter,
  mayPromote,
  mayRemove,
  type ReconfigurationView,
} from './reconfiguration.ts';

interface Spec {
  /** How long it has been connected; undefined if it is down. Member 1 is the one that asks. */
  connectedMs?: number;
  started?: boolean;
  learner?: boolean;
  match?: number;
}
const UP: Spec = { connectedMs: HEALTH_INTERVAL_MS };
const DOWN: Spec = {};
const FRESH: Spec = { connectedMs: HEALTH_INTERVAL_MS - 1 };
const UNSTARTED: Spec = { started: false };
const LEARNER: Spec = { ...UP, learner: true, match: 100 };

/** Members 1, 2, … as given; the leader's log ends at 100. */
function view(...specs: Spec[]): ReconfigurationView {
  const ids = specs.map((_, i) => BigInt(i + 1));
  return {
    self: 1n,
    members: specs.map(({ started = true, learner = false }, i) =>
      Member.fromPartial({ ID: ids[i] as bigint, name: started ? 'it' : '', isLearner: learner }),
    ),
    connectedForMs: (id) => specs[Number(id) - 1]?.connectedMs,
    progress: {
      lastIndex: 100,
      match: new Map(specs.map(({ match = 0 }, i) => [ids[i] as bigint, match])),
    },
  };
}

describe('adding a member', () => {
  it('needs everyone connected for a while', () => {
    expect(mayAddVoter(view(UP, UP, UP), false)).toBeUndefined();
    expect(mayAddVoter(view(UP, UP, FRESH), false)).toBe('Unhealthy');
    expect(mayAddVoter(view(UP, UP, DOWN), true)).toBe('Unhealthy');
    // The one that asks is connected to itself.
    expect(mayAddVoter(view(DOWN), false)).toBeUndefined();
  });

  it('does not count learners', () => {
    expect(mayAddVoter(view(UP, { ...DOWN, learner: true }), false)).toBeUndefined();
  });

  it('waits until those added before have started, but lets one grow to three', () => {
    expect(mayAddVoter(view(UP, UNSTARTED), false)).toBe('MemberNotEnoughStarted');
    expect(mayAddVoter(view(UP, UP, UNSTARTED, UNSTARTED), false)).toBe('MemberNotEnoughStarted');
    expect(mayAddVoter(view(UP, { ...UNSTARTED, ...UP }), true)).toBeUndefined();
    expect(mayAddVoter(view(UP, UP, UP, { ...UP, ...UNSTARTED }), false)).toBeUndefined();
  });
});

describe('removing a member', () => {
  it('must leave a quorum of those that are up', () => {
    expect(mayRemove(view(UP, UP, UP), 2n)).toBeUndefined();
    expect(mayRemove(view(UP, UP, DOWN), 2n)).toBe('Unhealthy');
    expect(mayRemove(view(UP, UP, DOWN), 3n)).toBeUndefined();
    expect(mayRemove(view(UP, UP, DOWN), 1n)).toBe('Unhealthy');
  });

  it('must leave a quorum of those that ever started', () => {
    expect(mayRemove(view(UP), 1n)).toBe('MemberNotEnoughStarted');
    expect(mayRemove(view(UP, UNSTARTED), 1n)).toBe('MemberNotEnoughStarted');
    expect(mayRemove(view(UP, UNSTARTED), 2n)).toBeUndefined();
  });

  it('is always allowed for a learner', () => {
    expect(mayRemove(view(UP, DOWN, DOWN, { learner: true }), 4n)).toBeUndefined();
  });
});

describe('promoting a learner', () => {
  it('waits until it has nine tenths of the log', () => {
    expect(mayPromote(view(UP, { ...LEARNER, match: 90 }), 2n, true)).toBeUndefined();
    expect(mayPromote(view(UP, { ...LEARNER, match: 89 }), 2n, true)).toBe('LearnerNotReady');
  });

  it('is for the leader to decide, and for learners alone', () => {
    expect(mayPromote({ ...view(UP, LEARNER), progress: undefined }, 2n, true)).toBe('NotLeader');
    expect(mayPromote(view(UP, UP), 2n, true)).toBe('MemberNotLearner');
    expect(mayPromote(view(UP), 7n, true)).toBe('MemberNotFound');
  });

  it('must leave a quorum of started voters if it is strict', () => {
    const few = view(UP, UNSTARTED, UNSTARTED, UNSTARTED, LEARNER);
    expect(mayPromote(few, 5n, true)).toBe('MemberNotEnoughStarted');
    expect(mayPromote(few, 5n, false)).toBeUndefined();
  });
});
