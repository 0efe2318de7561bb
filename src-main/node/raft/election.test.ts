import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/prng.ts';
import { type Message, MessageType } from '../../proto/raftdeck/raft.ts';
import { RaftNode } from './node.ts';
import { Cluster, localMessage } from './testing/cluster.ts';
import { SIM_CONFIG } from './testing/sim-node.ts';

function tick(cluster: Cluster, id: number, times: number): void {
  for (let i = 0; i < times; i++) {
    cluster.node(id).act((raft) => raft.tick());
    cluster.settle();
  }
}

function request(type: MessageType, fields: Partial<Message>): Message {
  return { ...localMessage(type, 2n), to: 1n, ...fields };
}

describe('elections', () => {
  it('time out after a random number of ticks in [electionTicks, 2 * electionTicks)', () => {
    const seen = new Set<number>();
    for (let seed = 1; seed <= 60; seed++) {
      const cluster = new Cluster({ seed });
      const raft = cluster.raft(1);
      let ticks = 0;
      while (raft.role === 'follower') {
        raft.tick();
        ticks++;
      }
      seen.add(ticks);
    }
    expect(Math.min(...seen)).toBe(10);
    expect(Math.max(...seen)).toBe(19);
    expect(seen.size).toBeGreaterThan(5);
  });

  it('draw a new timeout for each round', () => {
    const raft = new Cluster({ config: { preVote: false } }).raft(1);
    const rounds = new Set<number>();
    for (let round = 0; round < 20; round++) {
      const { term } = raft;
      let ticks = 0;
      for (; raft.term === term; ticks++) raft.tick();
      rounds.add(ticks);
    }
    expect(rounds.size).toBeGreaterThan(4);
  });

  it('give one vote in a term, also across a restart', () => {
    const cluster = new Cluster();
    const node = cluster.node(1);
    const answers: Message[] = [];
    cluster.filter = (message) => {
      if (message.type === MessageType.VOTE_RESPONSE) answers.push(message);
      return true;
    };
    const vote = (from: bigint) => {
      node.act((raft) => raft.step(request(MessageType.VOTE, { from, term: 1 })));
      // Not sent before it is durable.
      if (answers.length === 0) expect(cluster.packets).toEqual([]);
      node.sync();
      cluster.settle();
    };
    vote(2n);
    vote(3n);
    cluster.crash(1);
    node.start();
    vote(3n);
    vote(2n);
    expect(answers.map((m) => [m.to, m.reject])).toEqual([
      [2n, false],
      [3n, true],
      [3n, true],
      [2n, false],
    ]);
  });

  it('ask for votes only after the own vote is durable', () => {
    const cluster = new Cluster({ config: { preVote: false } });
    const node = cluster.node(1);
    node.act((raft) => raft.campaign());
    expect(cluster.packets).toEqual([]);
    expect(node.writes[0]?.hardState).toMatchObject({ term: 1, vote: 1n });
    node.sync();
    expect(cluster.packets.map((p) => p.message.type)).toEqual([
      MessageType.VOTE,
      MessageType.VOTE,
    ]);
  });

  it('a sole voter leads on its first tick and commits once that is durable', () => {
    const cluster = new Cluster({ voters: 1 });
    const node = cluster.node(1);
    node.act((raft) => raft.tick());
    expect(node.up.isLeader).toBe(true);
    expect(node.up.commit).toBe(0);
    node.sync();
    expect(node.up.commit).toBe(1);
    node.apply();
    expect(node.app.applied).toBe(1);
  });

  it('a sole voter tells its learners nothing before its vote is durable', () => {
    const cluster = new Cluster({ voters: 1, learners: 1 });
    const node = cluster.node(1);
    node.act((raft) => raft.campaign());
    for (let i = 0; i < 4; i++) node.act((raft) => raft.tick());
    expect(node.up.isLeader).toBe(true);
    expect(cluster.packets).toEqual([]);
    node.sync();
    expect(cluster.packets.length).toBeGreaterThan(0);
    cluster.settle();
    expect(cluster.node(2).app.applied).toBe(1);
  });

  it('learners follow and never campaign', () => {
    const cluster = new Cluster({ voters: 1, learners: 1 });
    cluster.elect(1);
    cluster.isolate(1);
    tick(cluster, 2, 50);
    expect(cluster.raft(2).role).toBe('follower');
    expect(cluster.raft(2).term).toBe(1);
    cluster.node(2).act((raft) => raft.campaign());
    expect(cluster.raft(2).role).toBe('follower');
  });

  it('nodes without a configuration wait', () => {
    const cluster = new Cluster({ voters: 1, spares: 1 });
    tick(cluster, 2, 50);
    expect(cluster.raft(2).status()).toMatchObject({ role: 'follower', term: 0, leader: 0n });
  });
});

describe('PreVote', () => {
  it('keeps the term of a member that is cut off, which then cannot disturb the leader', () => {
    const cluster = new Cluster({ config: { checkQuorum: false } });
    cluster.elect(1);
    cluster.isolate(3);
    tick(cluster, 3, 100);
    expect(cluster.raft(3).term).toBe(1);
    expect(cluster.raft(3).role).toBe('preCandidate');
    cluster.proposeAndSettle(1, 3);
    cluster.heal();
    // Its log is behind, so that not even a pre-vote is for it.
    tick(cluster, 3, 30);
    cluster.run(() => cluster.node(3).app.applied === 4);
    expect(cluster.raft(1)).toMatchObject({ isLeader: true, term: 1 });
  });

  it('without it the term runs away', () => {
    const cluster = new Cluster({ config: { preVote: false } });
    cluster.elect(1);
    cluster.isolate(3);
    tick(cluster, 3, 100);
    expect(cluster.raft(3).term).toBeGreaterThan(4);
    // It comes back by making the leader step down, and the cluster finds a leader again.
    cluster.heal();
    cluster.run(() => (cluster.leader?.up.term ?? 0) >= cluster.raft(3).term);
    cluster.run(() => cluster.nodes.every((node) => node.up.leader === cluster.leader?.id));
  });

  it('changes nothing at those who are asked', () => {
    const cluster = new Cluster();
    const before = cluster.raft(1).status();
    const ask = request(MessageType.PRE_VOTE, { term: 1 });
    cluster.node(1).act((raft) => raft.step(ask));
    cluster.node(1).act((raft) => raft.step({ ...ask, from: 3n }));
    expect(cluster.raft(1).status()).toEqual(before);
    cluster.node(1).sync();
    const answers = cluster.packets.map(({ message }) => [
      message.to,
      message.reject,
      message.term,
    ]);
    expect(answers).toEqual([
      [2n, false, 1],
      [3n, false, 1],
    ]);
  });

  it('does not count a grant for an earlier round', () => {
    const cluster = new Cluster();
    cluster.isolate(1);
    cluster.node(1).act((raft) => raft.campaign());
    const grant = request(MessageType.PRE_VOTE_RESPONSE, { term: 1 });
    const forward = request(MessageType.APPEND, { from: 3n, term: 4 });
    cluster.node(1).act((raft) => raft.step(forward));
    cluster.node(1).act((raft) => raft.campaign());
    cluster.node(1).act((raft) => raft.step(grant));
    expect(cluster.raft(1).role).toBe('preCandidate');
    cluster.node(1).act((raft) => raft.step({ ...grant, term: 5 }));
    expect(cluster.raft(1).role).toBe('candidate');
  });
});

describe('CheckQuorum', () => {
  it('makes a leader without a quorum step down within two election timeouts', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.isolate(1);
    let ticks = 0;
    while (cluster.raft(1).isLeader && ticks < 100) {
      tick(cluster, 1, 1);
      ticks++;
    }
    expect(ticks).toBeLessThanOrEqual(20);
    expect(cluster.raft(1).leader).toBe(0n);
  });

  it('keeps a leader that still hears a quorum', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.cut(1, 3);
    for (let i = 0; i < 100; i++) {
      cluster.node(1).act((raft) => raft.tick());
      cluster.settle();
    }
    expect(cluster.raft(1).isLeader).toBe(true);
  });

  it('ignores votes while a leader is heard, unless the leader itself asked for them', () => {
    const cluster = new Cluster({ config: { preVote: false } });
    cluster.elect(1);
    const vote = {
      ...request(MessageType.VOTE, { from: 3n, term: 9, index: 9, logTerm: 9 }),
      to: 2n,
    };
    cluster.node(2).act((raft) => raft.step(vote));
    cluster.settle();
    expect(cluster.raft(2).term).toBe(1);
    cluster.node(2).act((raft) => raft.step({ ...vote, forced: true }));
    expect(cluster.raft(2).status()).toMatchObject({ term: 9, vote: 3n });
  });

  it('lets votes through once the leader has not been heard for an election timeout', () => {
    const cluster = new Cluster({ config: { preVote: false } });
    cluster.elect(1);
    cluster.crash(1);
    tick(cluster, 2, 9);
    const vote = {
      ...request(MessageType.VOTE, { from: 3n, term: 9, index: 9, logTerm: 9 }),
      to: 2n,
    };
    cluster.node(2).act((raft) => raft.step(vote));
    expect(cluster.raft(2).term).toBe(1);
    tick(cluster, 2, 1);
    cluster.node(2).act((raft) => raft.step(vote));
    expect(cluster.raft(2).term).toBe(9);
  });
});

describe('terms', () => {
  it('a leader of an old term learns the new one from whoever it writes to', () => {
    const cluster = new Cluster({ config: { checkQuorum: false } });
    cluster.elect(1);
    cluster.isolate(1);
    cluster.run(() => cluster.nodes.some((node) => node.up.isLeader && node.id !== 1n));
    expect(cluster.raft(1).isLeader).toBe(true);
    cluster.propose(1);
    cluster.heal();
    cluster.run(
      () => !cluster.raft(1).isLeader && cluster.raft(1).term === cluster.leader?.up.term,
    );
    cluster.run(() => cluster.node(1).terms.join() === cluster.leader?.terms.join());
  });

  it('answers of a member that is none of ours do not depose the leader', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    const answer = request(MessageType.APPEND_RESPONSE, { from: 77n, term: 50, reject: true });
    cluster.node(1).act((raft) => raft.step(answer));
    expect(cluster.raft(1)).toMatchObject({ isLeader: true, term: 1 });
    cluster.node(1).act((raft) => raft.step({ ...answer, from: 2n }));
    expect(cluster.raft(1)).toMatchObject({ isLeader: false, term: 50 });
  });

  it('drops what is malformed or for somebody else', () => {
    const cluster = new Cluster();
    const before = cluster.raft(1).status();
    const entry = { term: 1, index: 5, type: 0, data: Buffer.alloc(0) } as const;
    const bad: Partial<Message>[] = [
      { type: MessageType.APPEND, term: 1, entries: [entry] },
      { type: MessageType.APPEND, term: 1, index: 4, entries: [{ ...entry, term: 2 }] },
      { type: MessageType.SNAPSHOT, term: 1 },
      { type: MessageType.VOTE, term: 1, to: 2n },
      { type: MessageType.VOTE, term: 1, from: 0n },
      { type: MessageType.VOTE, term: 1, from: 1n },
    ];
    for (const fields of bad) {
      cluster.node(1).act((raft) => raft.step(request(MessageType.APPEND, fields)));
    }
    expect(cluster.raft(1).status()).toEqual(before);
  });

  it('stops on two leaders of one term instead of following both', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    const append = { ...request(MessageType.APPEND, { from: 3n, term: 1 }), to: 2n };
    expect(() => cluster.raft(2).step(append)).toThrow('two leaders in term 1');
    expect(() => cluster.raft(1).step({ ...append, to: 1n })).toThrow('two leaders in term 1');
  });
});

describe('a restored node', () => {
  it('does not campaign before it has applied a committed change of members', () => {
    const cluster = new Cluster({ voters: 1, spares: 1 });
    cluster.elect(1);
    const change = { changes: [{ type: 0, nodeId: 2n }] } as const;
    expect(cluster.changeMembers(1, { changes: [...change.changes] })).toBe('ok');
    cluster.settle();
    const { durable } = cluster.node(1);
    const raft = new RaftNode(
      { ...SIM_CONFIG, id: 1n, random: seededRandom(1) },
      {
        hardState: durable.hardState,
        confState: { ...cluster.raft(1).confState, voters: [1n] },
        snapshot: durable.base,
        entries: durable.entries,
        applied: 1,
      },
    );
    raft.campaign();
    expect(raft.role).toBe('follower');
    raft.ready();
    raft.applyConfChange({
      changes: [...change.changes],
      explicitJoint: false,
      context: Buffer.alloc(0),
    });
    raft.applied(durable.hardState.commit);
    raft.campaign();
    expect(raft.role).toBe('preCandidate');
  });
});
