import { describe, expect, it } from 'vitest';
import { EntryType, ConfChangeSingle_Type as Type } from '../../proto/raftdeck/raft.ts';
import { Cluster } from './testing/cluster.ts';

const add = (id: number) => ({ type: Type.ADD_VOTER, nodeId: BigInt(id) });
const learn = (id: number) => ({ type: Type.ADD_LEARNER, nodeId: BigInt(id) });
const remove = (id: number) => ({ type: Type.REMOVE, nodeId: BigInt(id) });

describe('changes of members', () => {
  it('grow one member to three through a learner, each joining by a snapshot', () => {
    const cluster = new Cluster({ voters: 1, spares: 2 });
    cluster.elect(1);
    expect(cluster.changeMembers(1, { changes: [learn(2)] })).toBe('ok');
    cluster.settle();
    cluster.run(() => cluster.node(2).app.applied === cluster.node(1).app.applied, 10);
    expect(cluster.raft(2).confState).toMatchObject({ voters: [1n], learners: [2n] });
    cluster.changeMembers(1, { changes: [add(2)] });
    cluster.settle();
    cluster.changeMembers(1, { changes: [add(3)] });
    cluster.settle();
    cluster.run(() => cluster.node(3).app.applied === cluster.node(1).app.applied, 10);
    expect(cluster.nodes.map((node) => node.installs)).toEqual([0, 1, 1]);
    for (const node of cluster.nodes) expect(node.up.confState.voters).toEqual([1n, 2n, 3n]);
    // The new ones count: the old one alone commits nothing.
    cluster.isolate(1);
    cluster.propose(1);
    cluster.settle();
    expect(cluster.raft(1).commit).toBeLessThan(cluster.raft(1).status().lastIndex);
  });

  it('replace all voters at once, jointly, and leave the joint configuration by themselves', () => {
    const cluster = new Cluster({ voters: 3, spares: 3 });
    cluster.elect(1);
    const changes = [add(4), add(5), add(6), remove(1), remove(2), remove(3)];
    expect(cluster.changeMembers(1, { changes })).toBe('ok');
    cluster.run(() => {
      const { votersOutgoing } = cluster.raft(4).confState;
      return votersOutgoing.length === 0 && (cluster.leader?.id ?? 0n) > 3n;
    });
    // Into the joint configuration and out of it.
    const { entries } = cluster.node(1).mirror;
    expect(entries.filter((entry) => entry.type === EntryType.CONF_CHANGE)).toHaveLength(2);
    const leader = cluster.leader;
    expect(leader?.up.confState.voters).toEqual([4n, 5n, 6n]);
    cluster.proposeAndSettle(leader?.id ?? 0n);
    const { commit, lastIndex } = leader?.up.status() ?? {};
    expect(commit).toBe(lastIndex);
  });

  it('need both majorities while joint', () => {
    const cluster = new Cluster({ voters: 3, spares: 2 });
    cluster.elect(1);
    cluster.changeMembers(1, { changes: [add(4), add(5)], explicitJoint: true });
    cluster.run(() => cluster.node(5).app.applied === cluster.node(1).app.applied, 20);
    expect(cluster.raft(1).confState).toMatchObject({ votersOutgoing: [1n, 2n, 3n] });
    const { commit } = cluster.raft(1);
    // Three of five, but one of the old three only.
    cluster.cut(1, 2);
    cluster.cut(1, 3);
    cluster.propose(1);
    cluster.settle();
    expect(cluster.raft(1).commit).toBe(commit);
    cluster.heal();
    cluster.run(() => cluster.raft(1).commit === commit + 1, 10);
    expect(cluster.changeMembers(1, { changes: [remove(2)] })).toBe('confChangePending');
    expect(cluster.changeMembers(1, {})).toBe('ok');
    cluster.settle();
    expect(cluster.raft(5).confState).toMatchObject({ votersOutgoing: [], autoLeave: false });
  });

  it('come one at a time', () => {
    const cluster = new Cluster({ voters: 3, spares: 2 });
    cluster.elect(1);
    expect(cluster.changeMembers(1, { changes: [learn(4)] })).toBe('ok');
    expect(cluster.changeMembers(1, { changes: [learn(5)] })).toBe('confChangePending');
    cluster.settle();
    expect(cluster.changeMembers(1, { changes: [learn(5)] })).toBe('ok');
  });

  it('wait until a new leader has applied what it found in its log', () => {
    const cluster = new Cluster();
    const node = cluster.node(1);
    node.act((raft) => raft.campaign());
    cluster.settle();
    cluster.proposeAndSettle(1);
    cluster.crash(1);
    cluster.run(() => cluster.leader !== undefined);
    const leader = cluster.leader;
    if (leader === undefined) throw new Error('no leader');
    cluster.crash(leader.id);
    leader.start();
    node.start();
    cluster.isolate(Number(leader.id));
    leader.act((raft) => raft.campaign());
    expect(cluster.changeMembers(leader.id, { changes: [learn(3)] })).not.toBe('ok');
  });

  it('are refused if they cannot be, at the leader and by way of a follower', () => {
    const cluster = new Cluster({ voters: 1, learners: 1 });
    cluster.elect(1);
    expect(cluster.changeMembers(1, { changes: [remove(1)] })).toBe('invalidConfChange');
    expect(cluster.changeMembers(1, {})).toBe('invalidConfChange');
    expect(cluster.changeMembers(2, { changes: [remove(1)] })).toBe('forwarded');
    cluster.settle();
    expect(cluster.raft(1).status()).toMatchObject({ lastIndex: 1, role: 'leader' });
    expect(cluster.changeMembers(2, { changes: [add(2)] })).toBe('forwarded');
    cluster.settle();
    expect(cluster.raft(2).confState.voters).toEqual([1n, 2n]);
  });

  it('make a removed leader step down after the commit, for a successor that is up to date', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.proposeAndSettle(1, 3);
    expect(cluster.changeMembers(1, { changes: [remove(1)] })).toBe('ok');
    expect(cluster.raft(1).isLeader).toBe(true);
    cluster.settle();
    // Without a single tick: it told the successor.
    expect(cluster.raft(1).isLeader).toBe(false);
    expect([2n, 3n]).toContain(cluster.leader?.id);
    // The removed member keeps still.
    const { term } = cluster.raft(1);
    for (let i = 0; i < 60; i++) cluster.node(1).act((raft) => raft.tick());
    expect(cluster.raft(1)).toMatchObject({ role: 'follower', term });
  });

  it('let fewer voters commit what was stuck', () => {
    const cluster = new Cluster({ voters: 2 });
    cluster.elect(1);
    cluster.changeMembers(1, { changes: [remove(2)] });
    cluster.settle();
    cluster.isolate(1);
    cluster.proposeAndSettle(1);
    expect(cluster.node(1).app.applied).toBe(3);
  });

  it('reach members that do not know the configuration is committed through votes', () => {
    // Found by seed 14 of three members and two spares: 1 is removed and knows, 2 has the longest
    // log and does not.
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.cut(1, 2);
    cluster.changeMembers(1, { changes: [remove(1)] });
    cluster.filter = (message) => message.commit >= 2 || message.type === 9;
    cluster.settle();
    expect(cluster.raft(1).confState.voters).toEqual([2n, 3n]);
    expect(cluster.raft(3).confState.voters).toEqual([1n, 2n, 3n]);
    cluster.heal();
    cluster.run(() => cluster.leader?.up.confState.voters.length === 2);
    cluster.run(() => cluster.node(2).app.applied === cluster.node(3).app.applied);
  });
});
