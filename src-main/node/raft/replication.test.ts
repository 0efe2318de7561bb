import { describe, expect, it } from 'vitest';
import { type Message, MessageType } from '../../proto/raftdeck/raft.ts';
import { ENTRY_OVERHEAD_BYTES } from './log.ts';
import { Cluster, localMessage } from './testing/cluster.ts';
import { SIM_CONFIG } from './testing/sim-node.ts';

/** The leader's view of a member. */
function progress(cluster: Cluster, leader: number, id: number) {
  const view = cluster
    .raft(leader)
    .status()
    .progress.find((p) => p.id === BigInt(id));
  if (view === undefined) throw new Error(`no progress of ${id}`);
  return view;
}

function appends(cluster: Cluster, to: number): Message[] {
  return cluster.packets
    .map((packet) => packet.message)
    .filter((message) => message.type === MessageType.APPEND && message.to === BigInt(to));
}

describe('proposals', () => {
  it('are sent before they are durable here, and count only once they are', () => {
    const cluster = new Cluster();
    const leader = cluster.elect(1);
    cluster.propose(1);
    expect(leader.writes).toHaveLength(1);
    expect(appends(cluster, 2)).toHaveLength(1);
    expect(progress(cluster, 1, 1).match).toBe(1);
    // One follower is down: the leader's own copy decides.
    cluster.isolate(3);
    const { packets } = cluster;
    cluster.packets = [];
    for (const packet of packets) cluster.node(packet.message.to).receive(packet);
    cluster.node(2).sync();
    cluster.node(3).raft = undefined;
    while (cluster.packets.length > 0) cluster.deliver(0);
    expect(leader.up.commit).toBe(1);
    leader.sync();
    expect(leader.up.commit).toBe(2);
  });

  it('may commit by the followers alone, but are applied here only once durable here', () => {
    const cluster = new Cluster();
    const leader = cluster.elect(1);
    cluster.propose(1);
    while (cluster.packets.length > 0) {
      cluster.deliver(0);
      for (const id of [2, 3]) if (cluster.node(id).writes.length > 0) cluster.node(id).sync();
    }
    expect(leader.up.commit).toBe(2);
    expect(leader.toApply).toEqual([]);
    leader.sync();
    expect(leader.toApply.map((entry) => entry.index)).toEqual([2]);
  });

  it('of one turn travel in one append', () => {
    const cluster = new Cluster({ config: { maxBytesPerAppend: 10_000 } });
    const { up } = cluster.elect(1);
    const data = Array.from({ length: 5 }, (_, i) => Buffer.from([i]));
    expect(up.propose(data.slice(0, 2))).toBe('ok');
    expect(up.propose(data.slice(2))).toBe('ok');
    const ready = up.ready();
    const sent = ready.messages.filter((message) => message.type === MessageType.APPEND);
    expect(sent.map((message) => [message.to, message.entries.length])).toEqual([
      [2n, 5],
      [3n, 5],
    ]);
    // By reference, all the way.
    for (const [i, buffer] of data.entries()) {
      expect(ready.entries[i]?.data).toBe(buffer);
      expect(sent[0]?.entries[i]?.data).toBe(buffer);
    }
  });

  it('go to the leader from a follower, and nowhere without one', () => {
    const cluster = new Cluster();
    expect(cluster.propose(2)).toBe('noLeader');
    cluster.elect(1);
    expect(cluster.propose(2)).toBe('forwarded');
    cluster.settle();
    expect(cluster.nodes.map((node) => node.app.applied)).toEqual([2, 2, 2]);
  });

  it('are refused while too many bytes are uncommitted', () => {
    const cluster = new Cluster({ config: { maxUncommittedBytes: 1000 } });
    const leader = cluster.elect(1);
    cluster.isolate(1);
    // One that is too large passes when nothing else is under way.
    expect(cluster.propose(1, 2000)).toBe('ok');
    expect(cluster.propose(1, 8)).toBe('tooManyUncommitted');
    cluster.heal();
    cluster.run(() => leader.up.commit === 2);
    const each = 100 + ENTRY_OVERHEAD_BYTES;
    for (let i = 0; i < Math.floor(1000 / each); i++) expect(cluster.propose(1, 100)).toBe('ok');
    expect(cluster.propose(1, 100)).toBe('tooManyUncommitted');
    expect(leader.up.status().lastIndex).toBe(2 + Math.floor(1000 / each));
    cluster.settle();
    expect(cluster.propose(1, 100)).toBe('ok');
  });

  it('that are forwarded are bounded, too', () => {
    const cluster = new Cluster({ config: { maxUncommittedBytes: 1000 } });
    cluster.elect(1);
    const follower = cluster.raft(2);
    expect(follower.propose([Buffer.alloc(900)])).toBe('forwarded');
    expect(follower.propose([Buffer.alloc(900)])).toBe('tooManyUncommitted');
    follower.ready();
    expect(follower.propose([Buffer.alloc(900)])).toBe('forwarded');
  });
});

describe('flow control', () => {
  it('keeps a bounded number of bounded appends under way', () => {
    const config = { maxInflightAppends: 3, maxBytesPerAppend: 100 };
    const cluster = new Cluster({ config });
    const leader = cluster.elect(1);
    cluster.packets = [];
    for (let i = 0; i < 40; i++) expect(leader.up.propose([Buffer.alloc(40)])).toBe('ok');
    leader.drain();
    expect(appends(cluster, 2)).toHaveLength(3);
    for (const message of appends(cluster, 2)) expect(message.entries).toHaveLength(1);
    expect(progress(cluster, 1, 2)).toMatchObject({ state: 'replicate', inflight: 3 });
    cluster.settle();
    expect(cluster.nodes.map((node) => node.app.applied)).toEqual([41, 41, 41]);
  });

  it('recovers when a whole window is lost', () => {
    const cluster = new Cluster({ config: { maxInflightAppends: 2, maxBytesPerAppend: 1 } });
    cluster.elect(1);
    for (let i = 0; i < 10; i++) cluster.propose(1);
    cluster.packets = cluster.packets.filter((packet) => packet.message.to !== 2n);
    cluster.settle();
    expect(cluster.node(2).app.applied).toBe(1);
    expect(progress(cluster, 1, 2).inflight).toBe(2);
    cluster.run(() => cluster.node(2).app.applied === 11, 10);
  });

  it('recovers when the last append and its commit are lost and nothing follows', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.propose(1);
    cluster.packets = cluster.packets.filter((packet) => packet.message.to !== 2n);
    cluster.settle();
    cluster.run(() => cluster.node(2).app.applied === 2, 5);
  });

  it('stops pipelining to a member that is unreachable', () => {
    const cluster = new Cluster();
    const leader = cluster.elect(1);
    leader.act((raft) => raft.step(localMessage(MessageType.UNREACHABLE, 2n)));
    expect(progress(cluster, 1, 2).state).toBe('probe');
    cluster.packets = [];
    for (let i = 0; i < 5; i++) cluster.propose(1);
    expect(appends(cluster, 2).length).toBeLessThanOrEqual(1);
    cluster.settle();
    cluster.run(() => progress(cluster, 1, 2).state === 'replicate', 5);
    expect(cluster.node(2).app.applied).toBe(6);
  });

  it('tells idle followers of the last commit without waiting for a heartbeat', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.proposeAndSettle(1);
    expect(cluster.nodes.map((node) => node.app.applied)).toEqual([2, 2, 2]);
  });

  it('never tells a follower of a commit beyond what it is known to have', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.isolate(3);
    cluster.proposeAndSettle(1, 5);
    const heartbeats: Message[] = [];
    cluster.filter = (message) => {
      if (message.type === MessageType.HEARTBEAT && message.to === 3n) heartbeats.push(message);
      return false;
    };
    for (let i = 0; i < 2; i++) cluster.node(1).act((raft) => raft.tick());
    cluster.settle();
    expect(heartbeats.map((message) => message.commit)).toEqual([1]);
  });
});

describe('a follower', () => {
  it('commits no further than the entries that an append vouches for', () => {
    // Everything after index 3 is its own and of another leader.
    const cluster = new Cluster({ logs: [[1, 1, 1, 2, 2, 2]], term: 3 });
    const raft = cluster.raft(1);
    const append = { ...localMessage(MessageType.APPEND, 2n), to: 1n, term: 3, commit: 6 };
    raft.step({ ...append, index: 2, logTerm: 1 });
    expect(raft.commit).toBe(2);
    const data = Buffer.from([1]);
    raft.step({ ...append, index: 2, logTerm: 1, entries: [{ index: 3, term: 1, type: 0, data }] });
    expect(raft.commit).toBe(3);
    expect(raft.status().lastIndex).toBe(6);
  });

  it('that has lost what it acknowledged stops instead of committing something else', () => {
    const cluster = new Cluster({ logs: [[1, 1]], term: 3 });
    const heartbeat = { ...localMessage(MessageType.HEARTBEAT, 2n), to: 1n, term: 3, commit: 5 };
    expect(() => cluster.raft(1).step(heartbeat)).toThrow('the log ends at 2');
  });
});

describe('snapshots', () => {
  /** Node 3 is down while the log goes on and is cut. */
  function behind(): Cluster {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.crash(3);
    cluster.proposeAndSettle(1, 20);
    for (const id of [1, 2]) {
      cluster.node(id).flushApp();
      cluster.node(id).compact(15);
    }
    return cluster;
  }

  it('bring a follower back whose entries are compacted', () => {
    const cluster = behind();
    cluster.node(3).start();
    cluster.run(() => cluster.node(3).app.applied === 21);
    expect(cluster.node(3).installs).toBe(1);
    expect(cluster.raft(3).status().firstIndex).toBe(22);
    expect(cluster.node(3).app.digest).toBe(cluster.node(1).app.digest);
    cluster.proposeAndSettle(1);
    expect(cluster.node(3).app.applied).toBe(22);
    expect(progress(cluster, 1, 3).state).toBe('replicate');
  });

  it('are tried again after a failure, and not repeated meanwhile', () => {
    const cluster = behind();
    let tries = 0;
    cluster.filter = (message) => message.type === MessageType.SNAPSHOT && ++tries <= 2;
    cluster.node(3).start();
    cluster.run(() => cluster.node(3).app.applied === 21);
    expect(tries).toBe(3);
  });

  it('hold appends back while they are under way', () => {
    const cluster = behind();
    cluster.node(3).start();
    const snapshots: Message[] = [];
    // Neither arrives nor is reported.
    for (let i = 0; i < 20; i++) {
      cluster.tickAll();
      cluster.settleWithout(MessageType.SNAPSHOT, snapshots);
    }
    expect(snapshots).toHaveLength(1);
    expect(progress(cluster, 1, 3).state).toBe('snapshot');
    cluster.node(1).act((raft) => raft.step(localMessage(MessageType.SNAPSHOT_STATUS, 3n, true)));
    expect(progress(cluster, 1, 3).state).toBe('probe');
    cluster.run(() => cluster.node(3).app.applied === 21);
  });

  it('neither entries nor commits are given out between a snapshot and its installation', () => {
    const cluster = behind();
    const node = cluster.node(3);
    node.start();
    for (let i = 0; i < 40 && !node.writes.some((w) => w.install); i++) {
      cluster.tickAll();
      while (cluster.packets.length > 0) cluster.deliver(0);
      for (const id of [1, 2]) cluster.node(id).sync();
      if (!node.writes.some((w) => w.install)) node.sync();
    }
    expect(node.writes.some((w) => w.install)).toBe(true);
    cluster.propose(1);
    while (cluster.packets.length > 0) cluster.deliver(0);
    for (let i = 0; i < 30; i++) node.act((raft) => raft.tick());
    // It does not campaign either.
    expect(node.up.role).toBe('follower');
    expect(node.toApply.map((entry) => entry.index)).toEqual([1]);
    expect(node.writes.every((write) => write.entries.length === 0)).toBe(true);
    expect(() => node.up.snapshotInstalled({ index: 1, term: 1, confState: undefined })).toThrow(
      'another snapshot',
    );
    cluster.run(() => node.app.applied === cluster.node(1).app.applied && node.app.applied > 21);
  });

  it('older than what is committed are answered with the commit index and not installed', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.proposeAndSettle(1, 5);
    const snapshot = { index: 4, term: 1, confState: cluster.raft(1).confState };
    const stale = { ...localMessage(MessageType.SNAPSHOT, 1n), to: 2n, term: 1, snapshot };
    const raft = cluster.raft(2);
    raft.step(stale);
    const ready = raft.ready();
    expect(ready.snapshot).toBeUndefined();
    expect(ready.messagesAfterPersist).toMatchObject([
      { type: MessageType.APPEND_RESPONSE, to: 1n, index: 6, reject: false },
    ]);
    expect(() => raft.snapshotInstalled(snapshot)).toThrow('no snapshot');
  });

  it('of entries that the log holds only move the commit index', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.filter = (message) => message.commit > 1;
    cluster.propose(1);
    cluster.settle();
    expect(cluster.raft(2)).toMatchObject({ commit: 1 });
    const snapshot = { index: 2, term: 1, confState: cluster.raft(1).confState };
    const raft = cluster.raft(2);
    raft.step({ ...localMessage(MessageType.SNAPSHOT, 1n), to: 2n, term: 1, snapshot });
    expect(raft.commit).toBe(2);
    expect(raft.ready()).toMatchObject({ snapshot: undefined, committed: [{ index: 2 }] });
  });
});

describe('leader transfer', () => {
  it('hands over at once to a member that is up to date, against leases and pre-votes', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    expect(cluster.node(1).act((raft) => raft.transferLeader(3n))).toBe(true);
    cluster.settle();
    expect(cluster.leader?.id).toBe(3n);
    expect(cluster.raft(1).leader).toBe(3n);
    expect(cluster.raft(3).term).toBe(2);
  });

  it('waits until the successor has caught up, and takes no proposals meanwhile', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.isolate(3);
    cluster.proposeAndSettle(1, 5);
    cluster.node(1).act((raft) => raft.transferLeader(3n));
    expect(cluster.propose(1)).toBe('transferring');
    cluster.heal();
    cluster.run(() => cluster.leader?.id === 3n, 9);
    expect(cluster.node(3).terms).toHaveLength(7);
  });

  it('is given up after an election timeout', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.isolate(3);
    cluster.node(1).act((raft) => raft.transferLeader(3n));
    cluster.settle();
    expect(cluster.propose(1)).toBe('transferring');
    for (let i = 0; i < 10; i++) {
      cluster.tickAll();
      cluster.settle();
    }
    expect(cluster.raft(1).isLeader).toBe(true);
    expect(cluster.propose(1)).toBe('ok');
  });

  it('keeps what other members forward meanwhile, and passes it on to the successor once', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.isolate(3);
    cluster.proposeAndSettle(1);
    cluster.node(1).act((raft) => raft.transferLeader(3n));
    expect(cluster.propose(2)).toBe('forwarded');
    cluster.settle();
    expect(cluster.raft(1).status().lastIndex).toBe(2);
    cluster.heal();
    cluster.run(() => cluster.leader?.id === 3n, 9);
    // The old leader's entry, the new one's first and the forwarded one.
    cluster.settle();
    expect(cluster.raft(3).status()).toMatchObject({ lastIndex: 4, commit: 4 });
    cluster.run(() => cluster.running.every((node) => node.up.appliedIndex === 4), 9);
    expect(cluster.leader?.id).toBe(3n);
  });

  it('proposes what it kept itself if it is given up', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.isolate(3);
    cluster.node(1).act((raft) => raft.transferLeader(3n));
    // It falls due after the half of the transfer's time.
    for (let i = 0; i < 6; i++) cluster.tickAll();
    cluster.propose(2);
    cluster.settle();
    expect(cluster.raft(1).commit).toBe(1);
    cluster.run(() => cluster.raft(1).commit === 2, 9);
    expect(cluster.raft(1).isLeader).toBe(true);
  });

  it('forgets what it kept when no leader shows up in time', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    const forwarded: Message[] = [];
    cluster.propose(2);
    cluster.settleWithout(MessageType.PROPOSE, forwarded);
    expect(forwarded).toHaveLength(1);
    // Node 3 starts anew and knows of no leader.
    const alone = new Cluster();
    alone.node(3).act((raft) => raft.step({ ...(forwarded[0] as Message), to: 3n }));
    for (let i = 0; i <= SIM_CONFIG.electionTicks; i++) alone.node(3).act((raft) => raft.tick());
    alone.packets = [];
    alone.elect(1);
    expect(alone.raft(1).commit).toBe(1);
  });

  it('can be aimed anew, and also be asked for by the local message', () => {
    const cluster = new Cluster();
    cluster.elect(1);
    cluster.isolate(3);
    cluster.node(1).act((raft) => raft.transferLeader(3n));
    cluster.node(1).act((raft) => raft.step(localMessage(MessageType.TRANSFER_LEADER, 2n)));
    cluster.settle();
    expect(cluster.leader?.id).toBe(2n);
  });

  it('is refused for learners, strangers, oneself, and by those who do not lead', () => {
    const cluster = new Cluster({ learners: 1 });
    cluster.elect(1);
    for (const id of [1n, 4n, 9n]) expect(cluster.raft(1).transferLeader(id)).toBe(false);
    expect(cluster.raft(2).transferLeader(3n)).toBe(false);
  });
});
