import { describe, expect, it } from 'vitest';
import { MessageType } from '../../proto/raftdeck/raft.ts';
import { Cluster } from './testing/cluster.ts';

/** Figure 7 of the Raft paper: the log of the leader for term 8, and of the followers a to f. */
const FIGURE_7 = [
  [1, 1, 1, 4, 4, 5, 5, 6, 6, 6],
  [1, 1, 1, 4, 4, 5, 5, 6, 6],
  [1, 1, 1, 4],
  [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
  [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
  [1, 1, 1, 4, 4, 4, 4],
  [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
];

describe('figure 7: a leader brings any log in line with its own', () => {
  it('wins with the votes of those that are not ahead, then cuts and fills their logs', () => {
    const config = { preVote: false };
    const cluster = new Cluster({ voters: 7, logs: FIGURE_7, term: 7, config });
    const refused: bigint[] = [];
    let appendRefusals = 0;
    cluster.filter = (message) => {
      if (message.type === MessageType.VOTE_RESPONSE && message.reject) refused.push(message.from);
      if (message.type === MessageType.APPEND_RESPONSE && message.reject) appendRefusals++;
      return false;
    };
    cluster.elect(1);
    // c and d: their logs end later.
    expect(refused.sort()).toEqual([4n, 5n]);
    for (const node of cluster.nodes) {
      expect(node.terms).toEqual([...(FIGURE_7[0] ?? []), 8]);
      expect(node.app.applied).toBe(11);
    }
    // a, b and e are short, f conflicts: hints by term find the place in one exchange each, e and f
    // in at most two.
    expect(appendRefusals).toBeLessThanOrEqual(1 + 1 + 2 + 2);
    expect(appendRefusals).toBeGreaterThanOrEqual(4);
  });

  it('replaces tails of followers that come back after others have committed', () => {
    const config = { preVote: false, maxBytesPerAppend: 1 };
    const cluster = new Cluster({ voters: 7, logs: FIGURE_7, term: 7, config });
    // c, d and f have tails of their own that are longer than the first appends they get.
    for (const id of [4, 5, 7]) cluster.isolate(id);
    cluster.elect(1);
    cluster.proposeAndSettle(1, 3);
    expect(cluster.raft(1).commit).toBe(14);
    cluster.heal();
    cluster.run(() => cluster.nodes.every((node) => node.app.applied === 14));
  });

  it('with pre-votes as well', () => {
    const cluster = new Cluster({ voters: 7, logs: FIGURE_7, term: 7 });
    cluster.elect(1);
    for (const node of cluster.nodes) expect(node.terms).toEqual([...(FIGURE_7[0] ?? []), 8]);
  });
});

/** Figure 8 (c): S1 leads again, S5 has an entry of term 3 that nobody else has. */
function figure8(): Cluster {
  const logs = [[1, 2], [1, 2], [1], [1], [1, 3]];
  const config = { preVote: false, checkQuorum: false, maxBytesPerAppend: 1 };
  return new Cluster({ voters: 5, logs, term: 3, config });
}

/**
 * S1 leads in term 4, elected by S2, S3 and S4, but its own first entry of that term gets nowhere.
 */
function electFirst(cluster: Cluster): void {
  cluster.isolate(5);
  cluster.filter = (message) => {
    const first = message.entries[0];
    return first?.term === 4 && cluster.node(message.to).terms.length === first.index - 1;
  };
  cluster.elect(1);
  expect(cluster.raft(1).term).toBe(4);
}

describe('figure 8: an entry of an earlier term is not committed by counting', () => {
  it('(d) leaves the entry of term 2 uncommitted, and it can be overwritten', () => {
    const cluster = figure8();
    electFirst(cluster);
    // The entry of term 2 is on a majority, durable and known to be.
    expect(cluster.node(3).durable.entries.map((entry) => entry.term)).toEqual([1, 2]);
    expect(
      cluster
        .raft(1)
        .status()
        .progress.filter((p) => p.match >= 2),
    ).toHaveLength(3);
    expect(cluster.raft(1).commit).toBe(0);
    cluster.crash(1);
    cluster.heal();
    // S2 to S4 have (2, term 2) only: S5 with (2, term 3) may lead them.
    for (let i = 0; i < 3 && !cluster.raft(5).isLeader; i++) {
      cluster.node(5).act((raft) => raft.campaign());
      cluster.settle();
    }
    expect(cluster.leader?.id).toBe(5n);
    cluster.run(() => cluster.node(2).app.applied === cluster.leader?.up.status().lastIndex);
    expect(cluster.node(2).terms.slice(0, 2)).toEqual([1, 3]);
    cluster.node(1).start();
    cluster.run(() => cluster.node(1).app.applied === cluster.leader?.up.status().lastIndex);
    expect(cluster.node(1).terms.slice(0, 2)).toEqual([1, 3]);
  });

  it('(e) commits it together with an entry of the leader’s term, and then S5 cannot win', () => {
    const cluster = figure8();
    electFirst(cluster);
    cluster.filter = () => false;
    cluster.run(() => cluster.raft(1).commit === 3);
    expect(cluster.node(1).terms).toEqual([1, 2, 4]);
    cluster.crash(1);
    cluster.heal();
    for (let i = 0; i < 5; i++) {
      cluster.node(5).act((raft) => raft.campaign());
      cluster.settle();
      expect(cluster.raft(5).isLeader).toBe(false);
    }
    cluster.run(() => cluster.leader !== undefined);
    cluster.run(() => cluster.node(5).terms[1] === 2);
  });
});

describe('election restriction (5.4.1)', () => {
  it.each([
    ['a later last term beats a longer log', [1, 2], [1, 1, 1], true],
    ['an earlier last term loses', [1, 1, 1], [1, 2], false],
    ['the longer log wins within a term', [1, 1, 1], [1, 1], true],
    ['the shorter log loses within a term', [1, 1], [1, 1, 1], false],
    ['equal logs may lead', [1, 1], [1, 1], true],
  ])('%s', (_, candidate, voter, wins) => {
    const config = { preVote: false };
    const cluster = new Cluster({ voters: 3, logs: [candidate, voter, voter], config });
    for (let i = 0; i < 3; i++) {
      cluster.node(1).act((raft) => raft.campaign());
      cluster.settle();
    }
    expect(cluster.raft(1).isLeader).toBe(wins);
  });
});
