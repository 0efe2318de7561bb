import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/prng.ts';
import { MessageType } from '../../proto/raftdeck/raft.ts';
import {
  ForwardedReads,
  localRead,
  MAX_FORWARDED_READS,
  MAX_PENDING_READS,
  ReadRounds,
} from './readindex.ts';
import { Cluster } from './testing/cluster.ts';

describe('ReadIndex', () => {
  it('answers with the commit index after one round of heartbeats, without a log entry', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.proposeAndSettle(1, 3);
    const { lastIndex } = cluster.raft(1).status();
    let heartbeats = 0;
    cluster.filter = (message) => {
      if (message.type === MessageType.HEARTBEAT) heartbeats++;
      return false;
    };
    // Several reads of one turn share the round.
    const leader = cluster.node(1);
    for (let context = 1; context <= 3; context++) expect(leader.up.readIndex(context)).toBe(true);
    for (let context = 1; context <= 3; context++) leader.reads.set(context, 0);
    leader.drain();
    expect(leader.confirmedReads).toEqual([]);
    cluster.settle();
    expect(leader.confirmedReads).toEqual([1, 2, 3].map((context) => ({ context, index: 4 })));
    expect(heartbeats).toBe(2);
    expect(cluster.raft(1).status().lastIndex).toBe(lastIndex);
  });

  it('waits until the leader has committed an entry of its own term', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.proposeAndSettle(1);
    cluster.filter = (message) => message.type === MessageType.APPEND_RESPONSE;
    cluster.crash(1);
    cluster.run(() => cluster.leader !== undefined);
    const leader = cluster.leader;
    if (leader === undefined) throw new Error('no leader');
    // The followers may know of a later commit than this leader does.
    expect(leader.read()).toBe(true);
    for (let i = 0; i < 5; i++) {
      cluster.tickAll();
      cluster.settle();
    }
    expect(leader.up.isLeader).toBe(true);
    expect(leader.confirmedReads).toEqual([]);
    cluster.heal();
    cluster.run(() => leader.confirmedReads.length === 1);
    expect(leader.confirmedReads[0]?.index).toBe(leader.up.status().lastIndex);
  });

  it('gets no answer from a leader that was replaced without knowing', () => {
    const cluster = new Cluster({ config: { checkQuorum: false } });
    cluster.elect(1);
    cluster.isolate(1);
    cluster.run(() => cluster.nodes.some((node) => node.up.isLeader && node.id !== 1n));
    cluster.node(1).read();
    for (let i = 0; i < 20; i++) {
      cluster.tickAll();
      cluster.settle();
    }
    expect(cluster.node(1).confirmedReads).toEqual([]);
    cluster.heal();
    cluster.run(() => !cluster.raft(1).isLeader);
    // It asked in vain, and is told so.
    expect(cluster.node(1)).toMatchObject({ refusedReads: 1, confirmedReads: [] });
  });

  it('survives lost heartbeats: a later round confirms earlier ones', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    const leader = cluster.node(1);
    leader.read();
    cluster.packets = [];
    leader.read();
    cluster.settle();
    expect(leader.confirmedReads.map((read) => read.context)).toEqual([1, 2]);
    leader.read();
    cluster.packets = [];
    cluster.run(() => leader.confirmedReads.length === 3, 5);
  });

  it('is answered for a follower and a learner through the leader', () => {
    const cluster = new Cluster({ learners: 1 });
    cluster.elect(1);
    cluster.proposeAndSettle(1, 2);
    for (const id of [2, 4]) {
      expect(cluster.node(id).read()).toBe(true);
      cluster.settle();
      expect(cluster.node(id).confirmedReads).toEqual([{ context: 1, index: 3 }]);
    }
  });

  it('does not count learners towards the quorum', () => {
    const cluster = new Cluster({ voters: 3, learners: 2 });
    cluster.elect(1);
    cluster.cut(1, 2);
    cluster.cut(1, 3);
    cluster.node(1).read();
    cluster.settle();
    expect(cluster.node(1).confirmedReads).toEqual([]);
  });

  it('is refused without a leader, and by a node that leads no more', () => {
    const cluster = new Cluster();
    expect(cluster.node(1).read()).toBe(false);
    cluster.elect(1);
    cluster.node(2).read();
    cluster.node(1).act((raft) => raft.transferLeader(3n));
    cluster.settle();
    expect(cluster.node(2).refusedReads + cluster.node(2).confirmedReads.length).toBe(1);
  });

  it('is refused to a follower whose question got lost, after an election timeout', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.filter = (message) => message.type === MessageType.READ_INDEX;
    cluster.node(2).read();
    cluster.run(() => cluster.node(2).refusedReads === 1, 10);
  });

  it('is answered at once by a sole voter, once it has committed in its term', () => {
    const cluster = new Cluster({ voters: 1 });
    const node = cluster.node(1);
    node.act((raft) => raft.campaign());
    node.read();
    expect(node.confirmedReads).toEqual([]);
    node.sync();
    expect(node.confirmedReads).toEqual([{ context: 1, index: 1 }]);
    node.read();
    expect(node.confirmedReads).toHaveLength(2);
  });

  it('does not take an answer from an earlier life for one to a new question', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.node(2).read();
    cluster.filter = (message) => message.type === MessageType.READ_INDEX_RESPONSE;
    cluster.settle();
    cluster.filter = () => false;
    // The answer is on its way while the follower restarts and asks again under the same context.
    cluster.node(2).read();
    const [question] = cluster.packets.map((packet) => packet.message);
    cluster.crash(2);
    cluster.node(2).start();
    cluster.run(() => cluster.raft(2).leader === 1n);
    const raft = cluster.raft(2);
    expect(raft.readIndex(2)).toBe(true);
    raft.ready();
    raft.step({
      ...cluster.packets[0]?.message,
      ...(question ?? {}),
      type: MessageType.READ_INDEX_RESPONSE,
      from: 1n,
      to: 2n,
      index: 1,
    } as never);
    expect(raft.hasReady()).toBe(false);
  });
});

describe('limits of reads', () => {
  it('hold at the leader', () => {
    const reads = new ReadRounds();
    for (let i = 0; i < MAX_PENDING_READS; i++) expect(reads.add(localRead(i))).toBe(true);
    expect(reads.add(localRead(0))).toBe(false);
    reads.start(7);
    expect(reads.add(localRead(0))).toBe(false);
    expect(reads.confirm(reads.newest)[0]?.reads).toHaveLength(MAX_PENDING_READS);
    expect(reads.add(localRead(0))).toBe(true);
    expect(reads.reset()).toEqual([localRead(0)]);
  });

  it('hold at a follower, in number and in time', () => {
    const reads = new ForwardedReads(seededRandom(3));
    const wires = Array.from({ length: MAX_FORWARDED_READS }, (_, i) => reads.add(i, 5) ?? 0);
    expect(reads.add(0, 5)).toBeUndefined();
    expect(wires.every(Number.isSafeInteger)).toBe(true);
    expect(reads.take(wires[3] ?? 0)).toBe(3);
    expect(reads.take(wires[3] ?? 0)).toBeUndefined();
    for (let i = 0; i < 4; i++) expect(reads.tick()).toEqual([]);
    expect(reads.tick()).toHaveLength(MAX_FORWARDED_READS - 1);
  });
});
