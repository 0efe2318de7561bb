import { describe, expect, it } from 'vitest';
import { EntryType, type Message, MessageType } from '../../proto/raftdeck/raft.ts';
import { Cluster, localMessage } from './testing/cluster.ts';
import { describeMessage } from './testing/wording.ts';
import type { Entry } from './types.ts';

/**
 * The rules of figure 2 of the paper (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm",
 * extended version), each at one member that is told things by hand. Where the product follows the thesis or etcd
 * instead, the test says so.
 */
const options = { config: { preVote: false, checkQuorum: false } };

/** Terms of the log that member 1 starts with; it has seen `term`. */
function member(terms: readonly number[], term: number) {
  const cluster = new Cluster({ ...options, logs: [terms], term });
  const node = cluster.node(1);
  const sent = (): string[] => {
    const texts = cluster.packets.map(({ message }) => describeMessage(message));
    cluster.packets = [];
    return texts;
  };
  /** Steps a message to it, and lets its disk and its state machine do what they have to. */
  const tell = (message: Partial<Message>): string[] => {
    node.act((raft) => raft.step({ ...localMessage(MessageType.APPEND, 2n), to: 1n, ...message }));
    if (node.writes.length > 0) node.sync();
    if (node.toApply.length > 0) node.apply();
    return sent();
  };
  return { node, raft: node.up, tell, sent };
}

const entry = (index: number, term: number): Entry => {
  return { index, term, type: EntryType.NORMAL, data: Buffer.from([term]) };
};
const vote = { type: MessageType.VOTE };
const append = { type: MessageType.APPEND };

describe('AppendEntries, as the receiver', () => {
  it('1. refuses a leader of an older term, and names the newer one (5.1)', () => {
    const { raft, tell } = member([1, 1], 3);
    const stale = { ...append, term: 2, index: 2, logTerm: 1, entries: [entry(3, 2)] };
    expect(tell(stale)).toEqual(['1>2 APPEND_RESPONSE term 3 at 0, hint 0/0, refused']);
    expect(raft.status()).toMatchObject({ leader: 0n, lastIndex: 2 });
  });

  it('2. refuses entries after one that it does not have (5.3)', () => {
    const { raft, tell } = member([1, 1], 1);
    const beyond = { ...append, term: 2, index: 3, logTerm: 2, entries: [entry(4, 2)] };
    expect(tell(beyond)).toEqual(['1>2 APPEND_RESPONSE term 2 at 3, hint 2/1, refused']);
    const other = { ...append, term: 2, index: 2, logTerm: 2, entries: [entry(3, 2)] };
    expect(tell(other)).toEqual(['1>2 APPEND_RESPONSE term 2 at 2, hint 2/1, refused']);
    expect(raft.status().lastIndex).toBe(2);
  });

  it('3. removes an entry that conflicts, and all after it (5.3)', () => {
    const { node, tell } = member([1, 2, 2, 2], 2);
    const newer = { ...append, term: 3, index: 1, logTerm: 1, entries: [entry(2, 3)] };
    expect(tell(newer)).toEqual(['1>2 APPEND_RESPONSE term 3 up to 2']);
    expect(node.terms).toEqual([1, 3]);
  });

  it('4. appends what is new and leaves alone what is there already', () => {
    const { node, tell } = member([1, 2, 2], 2);
    const entries = [entry(2, 2), entry(3, 2), entry(4, 2)];
    tell({ ...append, term: 2, index: 1, logTerm: 1, entries });
    expect(node.terms).toEqual([1, 2, 2, 2]);
    // A shorter one that comes late takes nothing away.
    tell({ ...append, term: 2, index: 1, logTerm: 1, entries: entries.slice(0, 1) });
    expect(node.terms).toEqual([1, 2, 2, 2]);
  });

  it('5. commits what the leader has committed, as far as the message vouches for the entries', () => {
    const { raft, tell } = member([1, 1, 1], 1);
    tell({ ...append, term: 2, index: 1, logTerm: 1, entries: [entry(2, 1)], commit: 9 });
    expect(raft.commit).toBe(2);
    expect(raft.appliedIndex).toBe(2);
  });

  it('acknowledges only once the entries are on its disk (figure 2, persistent state)', () => {
    const { node, raft, sent } = member([], 0);
    const message = { ...localMessage(MessageType.APPEND, 2n), to: 1n, term: 1 };
    node.act(() => raft.step({ ...message, entries: [entry(1, 1)] }));
    expect(sent()).toEqual([]);
    node.sync();
    expect(sent()).toEqual(['1>2 APPEND_RESPONSE term 1 up to 1']);
  });
});

describe('RequestVote, as the receiver', () => {
  it('1. refuses a candidate of an older term (5.1)', () => {
    const { raft, tell } = member([], 5);
    tell({ ...vote, term: 4, index: 9, logTerm: 4 });
    expect(raft.status()).toMatchObject({ term: 5, vote: 0n });
  });

  it('2. votes for one candidate in a term, and for that one again if asked again (5.2)', () => {
    const { tell } = member([], 1);
    expect(tell({ ...vote, term: 2 })).toEqual(['1>2 VOTE_RESPONSE term 2']);
    const other = { ...vote, from: 3n, term: 2 };
    expect(tell(other)).toEqual(['1>3 VOTE_RESPONSE term 2, refused']);
    expect(tell({ ...vote, term: 2 })).toEqual(['1>2 VOTE_RESPONSE term 2']);
  });

  it('remembers its vote over a crash (figure 2, persistent state)', () => {
    const { node, tell, sent } = member([], 1);
    tell({ ...vote, term: 2 });
    node.raft = undefined;
    node.start();
    expect(node.up.status()).toMatchObject({ term: 2, vote: 2n });
    node.act((raft) => raft.step({ ...localMessage(MessageType.VOTE, 3n), to: 1n, term: 2 }));
    expect(sent()).toEqual(['1>3 VOTE_RESPONSE term 2, refused']);
  });

  it.each([
    ['an older last term, however long', { index: 9, logTerm: 2 }, false],
    ['the same last term and a shorter log', { index: 1, logTerm: 3 }, false],
    ['the same last term and as long a log', { index: 2, logTerm: 3 }, true],
    ['the same last term and a longer log', { index: 3, logTerm: 3 }, true],
    ['a newer last term, however short', { index: 1, logTerm: 4 }, true],
  ])('2. compares logs: %s (5.4.1)', (_, log, granted) => {
    const { tell } = member([1, 3], 5);
    const answer = `1>2 VOTE_RESPONSE term 6${granted ? '' : ', refused'}`;
    expect(tell({ ...vote, term: 6, ...log })).toEqual([answer]);
  });
});

describe('all servers', () => {
  it('apply what is committed, in order and once (5.3)', () => {
    const { node, tell } = member([1, 1, 1], 1);
    tell({ ...append, term: 2, index: 3, logTerm: 1, commit: 2 });
    expect(node.app.applied).toBe(2);
    tell({ ...append, term: 2, index: 3, logTerm: 1, commit: 3 });
    tell({ ...append, term: 2, index: 3, logTerm: 1, commit: 1 });
    expect([node.app.applied, node.up.commit]).toEqual([3, 3]);
  });

  it.each(['leader', 'candidate'] as const)(
    'follow as %s once they hear of a newer term (5.1)',
    (role) => {
      const cluster = new Cluster(options);
      if (role === 'leader') cluster.elect(1);
      else cluster.node(1).act((raft) => raft.campaign());
      const raft = cluster.raft(1);
      expect(raft.role).toBe(role);
      const newer = { ...localMessage(MessageType.HEARTBEAT, 2n), to: 1n, term: raft.term + 4 };
      cluster.node(1).act(() => raft.step(newer));
      expect(raft.status()).toMatchObject({ role: 'follower', term: newer.term, leader: 2n });
    },
  );
});

describe('followers and candidates', () => {
  it('a follower that hears nothing for an election timeout becomes a candidate (5.2)', () => {
    const { node, raft } = member([], 1);
    for (let tick = 0; tick < 20; tick++) node.act(() => raft.tick());
    expect(raft.status()).toMatchObject({ role: 'candidate', term: 2, vote: 1n });
  });

  it('one that hears its leader does not (5.2)', () => {
    const { node, raft, tell } = member([], 1);
    for (let tick = 0; tick < 100; tick++) {
      if (tick % 5 === 0) tell({ type: MessageType.HEARTBEAT, term: 1 });
      node.act(() => raft.tick());
    }
    expect(raft.status()).toMatchObject({ role: 'follower', term: 1, leader: 2n });
  });

  it('a candidate votes for itself, asks all others, and leads with a majority (5.2)', () => {
    const { node, raft, tell, sent } = member([], 1);
    node.act(() => raft.campaign());
    expect(raft.status()).toMatchObject({ role: 'candidate', term: 2, vote: 1n });
    node.sync();
    expect(sent()).toEqual(['1>2 VOTE term 2 log ends 0/0', '1>3 VOTE term 2 log ends 0/0']);
    tell({ type: MessageType.VOTE_RESPONSE, term: 2 });
    expect(raft.role).toBe('leader');
  });

  it('a candidate follows a leader of its own term (5.2)', () => {
    const { node, raft, tell } = member([], 1);
    node.act(() => raft.campaign());
    tell({ type: MessageType.HEARTBEAT, term: 2 });
    expect(raft.status()).toMatchObject({ role: 'follower', term: 2, leader: 2n });
  });

  it('a candidate that does not win begins anew after an election timeout (5.2)', () => {
    const { node, raft } = member([], 1);
    node.act(() => raft.campaign());
    for (let tick = 0; tick < 20; tick++) node.act(() => raft.tick());
    expect(raft.status()).toMatchObject({ role: 'candidate', term: 3 });
  });
});

describe('leaders', () => {
  /** Member 1 leads, 2 answers when it is let, and 3 is away. */
  function leader(logs: readonly (readonly number[])[], term: number) {
    const cluster = new Cluster({ ...options, logs, term });
    cluster.isolate(3);
    const [node, follower] = [cluster.node(1), cluster.node(2)];
    const sent = (from: number): string[] => {
      const packets = cluster.packets.filter(({ message }) => message.from === BigInt(from));
      return packets.map(({ message }) => describeMessage(message));
    };
    /** All that is under way arrives, and is written. */
    const pass = () => {
      const arriving = cluster.packets;
      cluster.packets = [];
      for (const packet of arriving) {
        cluster.packets.push(packet);
        cluster.deliver(cluster.packets.length - 1);
      }
      for (const one of [node, follower]) if (one.writes.length > 0) one.sync();
    };
    node.act((raft) => raft.campaign());
    node.sync();
    // The votes, and the answers to them.
    pass();
    pass();
    return { node, raft: node.up, sent, pass };
  }

  it('tell everybody at once that they lead, with an entry of their own term (5.2; 8)', () => {
    const { raft, sent } = leader([[1], [1]], 1);
    expect(raft.role).toBe('leader');
    expect(sent(1)).toEqual([
      '1>2 APPEND term 2 after 1/1: 2/2; commit 0',
      '1>3 APPEND term 2 after 1/1: 2/2; commit 0',
    ]);
  });

  it('send heartbeats while nothing else happens (5.2)', () => {
    const { node, sent } = leader([], 1);
    for (let tick = 0; tick < 2; tick++) node.act((raft) => raft.tick());
    expect(sent(1)).toContain('1>2 HEARTBEAT term 2 commit 0');
    expect(sent(1)).toContain('1>3 HEARTBEAT term 2 commit 0');
  });

  it('append what clients ask for and send it on (5.3)', () => {
    const { node, sent, pass } = leader([], 1);
    pass();
    pass();
    expect(node.act((raft) => raft.propose([Buffer.from('x')]))).toBe('ok');
    expect(sent(1)).toContain('1>2 APPEND term 2 after 1/2: 2/2 "x"; commit 1');
  });

  it('go back where a follower refuses, and on from where it agrees (5.3)', () => {
    const { raft, sent, pass } = leader([[1, 1, 1], [1]], 1);
    pass();
    expect(sent(2)).toEqual(['2>1 APPEND_RESPONSE term 2 at 3, hint 1/1, refused']);
    pass();
    const again = '1>2 APPEND term 2 after 1/1: 2/1 ".", 3/1 ".", 4/2; commit 0';
    expect(sent(1)).toEqual([again]);
    pass();
    pass();
    expect(raft.status().progress.find(({ id }) => id === 2n)).toMatchObject({ match: 4, next: 5 });
  });

  it('commit what a majority has, themselves included (5.3)', () => {
    const { raft, pass } = leader([], 1);
    pass();
    expect(raft.commit).toBe(0);
    pass();
    expect(raft.commit).toBe(1);
  });

  it('commit no entry of an earlier term by counting (5.4.2)', () => {
    const config = { ...options.config, maxBytesPerAppend: 1, maxInflightAppends: 1 };
    const logs = [[1, 1], [1], [1]];
    const cluster = new Cluster({ config, logs, term: 1 });
    cluster.isolate(3);
    // Entries of its own term are lost wherever they would be taken: those of term 1 are on two of three.
    const takes = (index: number) => cluster.node(2).terms.length >= index;
    cluster.filter = ({ index, entries }) => entries.some(({ term }) => term === 2) && takes(index);
    cluster.node(1).act((raft) => raft.campaign());
    cluster.settle();
    for (let tick = 0; tick < 4; tick++) cluster.tickAll();
    cluster.settle();
    expect(cluster.node(2).terms).toEqual([1, 1]);
    expect(cluster.raft(1).commit).toBe(0);
    cluster.filter = () => false;
    for (let tick = 0; tick < 4; tick++) cluster.tickAll();
    cluster.settle();
    expect(cluster.raft(1).commit).toBe(3);
  });

  it('never overwrite or remove an entry of their own (5.3, Leader Append-Only)', () => {
    const { node, raft } = leader([[1, 1]], 1);
    const other = {
      ...localMessage(MessageType.APPEND, 2n),
      to: 1n,
      term: 2,
      index: 1,
      logTerm: 1,
    };
    // Two leaders of one term cannot be: it stops rather than follow.
    expect(() => node.act(() => raft.step({ ...other, entries: [entry(2, 2)] }))).toThrow();
    expect(node.terms).toEqual([1, 1, 2]);
  });
});
