import type { RaftId } from '../types.ts';
import { changesOf } from './change-words.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';
import { parseCommand, type Script } from './script.ts';
import type { Packet, SimNode } from './sim-node.ts';
import { describeEntry, describeMembers, describeMessage, describeNode } from './wording.ts';

type Command = (words: string[], settings: Map<string, string>) => void;

const MAX_ROUNDS = 1_000;

/** What is told of a node when it changes. */
interface Seen {
  role: string;
  leader: RaftId;
  commit: number;
  members: string;
  installs: number;
  reads: number;
  refusedReads: number;
}

/** Runs the commands of a scenario; answers what each of them prints. */
export function runScript({ steps }: Script): string[][] {
  const scenario = new Scenario();
  return steps.map(({ command, line }) => {
    try {
      return scenario.run(command);
    } catch (error) {
      throw new Error(`line ${line}, ${command}: ${(error as Error).message}`, { cause: error });
    }
  });
}

/** A cluster that is told what to do line by line, and tells what comes of it: messages sent and what changed. */
class Scenario {
  #cluster = new Cluster();
  #printed: string[] = [];
  #seen = new Map<RaftId, Seen>();
  /** Messages that were told of already. */
  #told = new Set<Packet>();
  readonly #commands: Record<string, Command> = {
    cluster: (_, settings) => this.#found(settings),
    campaign: ([id]) => this.#node(id).act((raft) => raft.campaign()),
    // Without a word of how: for all that the scenario is not about.
    elect: ([id]) => {
      this.#node(id).act((raft) => raft.campaign());
      this.#settle();
      this.#printed = [`${id} leads term ${this.#node(id).up.term}`];
      if (!this.#node(id).up.isLeader) throw new Error('it was not elected');
    },
    tick: ([id, times]) => this.#tick(id, Number(times ?? 1)),
    propose: ([id, ...texts]) => {
      const data = texts.map((text) => Buffer.from(text));
      this.#answer(this.#node(id).act((raft) => raft.propose(data)));
    },
    change: ([id], settings) => {
      const changes = changesOf(settings);
      const explicitJoint = settings.get('joint') === 'explicit';
      this.#answer(this.#cluster.changeMembers(BigInt(id ?? 0), { changes, explicitJoint }));
    },
    transfer: ([id, to]) => {
      const node = this.#node(id);
      this.#answer(node.act((raft) => raft.transferLeader(BigInt(to ?? 0))) ? 'ok' : 'refused');
    },
    read: ([id]) => this.#answer(this.#node(id).read() ? 'ok' : 'refused'),
    deliver: (words) => this.#move(words, {}),
    // It arrives, and is still under way.
    repeat: (words) => this.#move(words, { keep: true }),
    lose: (words) => this.#move(words, { lose: true }),
    sync: ([id]) => this.#node(id).sync(),
    apply: ([id]) => this.#node(id).apply(),
    settle: () => this.#settle(),
    'settle-without': (types) => this.#settle((text) => !types.some((type) => text.includes(type))),
    cut: (links) => {
      for (const link of links) this.#cluster.cuts.add(link);
    },
    isolate: ([id]) => this.#cluster.isolate(Number(id)),
    heal: () => this.#cluster.heal(),
    crash: ([id]) => this.#crash(id),
    start: ([id]) => this.#node(id).start(),
    compact: ([id, index]) => {
      const node = this.#node(id);
      node.flushApp();
      node.compact(Number(index));
    },
    status: (ids) => {
      for (const node of ids.length > 0 ? ids.map((id) => this.#node(id)) : this.#cluster.nodes) {
        this.#printed.push(...(node.raft ? describeNode(node.raft) : [`${node.id}: down`]));
      }
    },
    log: (ids) => {
      for (const id of ids) {
        const { base, entries } = this.#node(id).mirror;
        const list = entries.map(describeEntry).join(', ');
        this.#printed.push(`${id}: after ${base.index}/${base.term}: ${list || 'nothing'}`);
      }
    },
    network: () => {
      const { packets } = this.#cluster;
      this.#printed.push(...packets.map(({ message }) => describeMessage(message)));
    },
  };

  run(command: string): string[] {
    this.#printed = [];
    const { name, words, settings } = parseCommand(command);
    const act = this.#commands[name];
    if (act === undefined) throw new Error('there is no such command');
    act(words, settings);
    this.#tell();
    return this.#printed.length > 0 ? this.#printed : ['nothing'];
  }

  #found(settings: Map<string, string>): void {
    const count = (name: string, otherwise: number) => Number(settings.get(name) ?? otherwise);
    const isOn = (name: string) => settings.get(name) !== 'off';
    const logs = settings.get('logs')?.split('|');
    const options: ClusterOptions = {
      voters: count('voters', 3),
      learners: count('learners', 0),
      spares: count('spares', 0),
      term: count('term', 0),
      logs: logs?.map((terms) => (terms === '' ? [] : terms.split(',').map(Number))) ?? [],
      config: {
        preVote: isOn('pre-vote'),
        checkQuorum: isOn('check-quorum'),
        maxInflightAppends: count('inflight', 4),
        maxBytesPerAppend: count('append-bytes', 256),
        maxUncommittedBytes: count('uncommitted-bytes', 4_096),
      },
    };
    this.#cluster = new Cluster(options);
    this.#seen.clear();
    this.#told.clear();
    // What nodes are before anything happened is no news.
    for (const node of this.#cluster.nodes) this.#seen.set(node.id, seenOf(node));
    this.#printed.push(
      ...this.#cluster.nodes.map(
        ({ id, terms }) => `${id}: ${terms.length > 0 ? `log of terms ${terms.join()}` : 'empty'}`,
      ),
    );
  }

  #node(id: string | undefined): SimNode {
    return this.#cluster.node(Number(id));
  }

  #answer(answer: string): void {
    this.#printed.push(answer);
  }

  #tick(id: string | undefined, times: number): void {
    for (let i = 0; i < times; i++) {
      if (id === 'all') this.#cluster.tickAll();
      else this.#node(id).act((raft) => raft.tick());
    }
  }

  #crash(id: string | undefined): void {
    const node = this.#node(id);
    // Nothing that is under way to the disk makes it: what survives is not left to chance here.
    node.writes = [];
    this.#cluster.crash(node.id);
  }

  /** "1>2", or "1>2 VOTE": all that is under way there, in order. */
  #move([link, type]: string[], { lose = false, keep = false }): void {
    const { packets } = this.#cluster;
    const chosen = packets.filter(({ message }) => {
      const text = describeMessage(message);
      return text.startsWith(`${link} `) && (type === undefined || text.includes(` ${type} `));
    });
    if (chosen.length === 0) throw new Error('nothing is under way there');
    for (const packet of chosen) this.#cluster.deliver(packets.indexOf(packet), lose, keep);
  }

  /** Delivers, syncs and applies round by round until nothing moves, except what is held back. */
  #settle(goes: (text: string) => boolean = () => true): void {
    const cluster = this.#cluster;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const moving = this.#moving(goes);
      for (const packet of moving) {
        // In order, as on a connection.
        const rest = cluster.packets.filter((other) => other !== packet);
        cluster.packets = [...rest, packet];
        cluster.deliver(cluster.packets.length - 1);
      }
      for (const node of cluster.running) {
        if (node.writes.length > 0) node.sync();
        if (node.toApply.length > 0) node.apply();
      }
      this.#tell();
      if (this.#moving(goes).length === 0 && cluster.running.every(({ idle }) => idle)) return;
    }
    throw new Error('it does not settle');
  }

  #moving(goes: (text: string) => boolean): Packet[] {
    return this.#cluster.packets.filter(({ message }) => goes(describeMessage(message)));
  }

  /** Messages that were sent since the last time, and what changed at the nodes. */
  #tell(): void {
    const { packets, nodes } = this.#cluster;
    for (const packet of packets) {
      if (this.#told.has(packet)) continue;
      this.#told.add(packet);
      this.#printed.push(describeMessage(packet.message));
    }
    for (const node of nodes) this.#tellOf(node);
  }

  #tellOf(node: SimNode): void {
    const before = this.#seen.get(node.id);
    const now = seenOf(node);
    this.#seen.set(node.id, now);
    const news: string[] = [];
    const changed = (name: 'role' | 'leader' | 'commit' | 'members', text: string) => {
      if (before?.[name] !== now[name]) news.push(text);
    };
    changed('role', now.role);
    if (node.raft === undefined) {
      if (news.length > 0) this.#printed.push(`${node.id}: ${news.join(', ')}`);
      return;
    }
    changed('leader', `leader ${now.leader}`);
    if (now.installs !== before?.installs) news.push('snapshot installed');
    changed('commit', `commit ${now.commit}`);
    changed('members', now.members);
    if (now.reads !== before?.reads) {
      const last = node.confirmedReads.at(-1);
      news.push(`read ${last?.context} may be answered at ${last?.index}`);
    }
    if (now.refusedReads !== before?.refusedReads) news.push('a read is refused');
    if (news.length > 0) this.#printed.push(`${node.id}: ${news.join(', ')}`);
  }
}

function seenOf(node: SimNode): Seen {
  const { raft, installs, refusedReads } = node;
  const status = raft?.status();
  return {
    role: status === undefined ? 'down' : `${status.role} of term ${status.term}`,
    leader: status?.leader ?? 0n,
    commit: status?.commit ?? 0,
    members: status === undefined ? '' : describeMembers(status.confState),
    installs,
    reads: node.confirmedReads.length,
    refusedReads,
  };
}
