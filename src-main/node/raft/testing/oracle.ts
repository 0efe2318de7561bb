import { type Message, MessageType } from '../../../proto/raftdeck/raft.ts';
import { configurationOf } from '../confchange.ts';
import { jointVote } from '../quorum.ts';
import type { ConfState, Entry, RaftId } from '../types.ts';
import { imageLast, imageTerm, type LogImage } from './disk.ts';

/** What the oracle looks at of a node. */
export interface Observed {
  readonly id: RaftId;
  readonly durable: LogImage;
  /** The log with all writes, durable or not: what the node has in memory. */
  readonly mirror: LogImage;
}

export class SafetyViolation extends Error {
  override readonly name = 'SafetyViolation';
}

function check(condition: boolean, message: () => string): void {
  if (!condition) throw new SafetyViolation(message());
}

/** The properties of figure 3.2 of the thesis, over the whole life of one simulated cluster. */
export class Oracle {
  readonly #leaders = new Map<number, RaftId>();
  /** By index * 2^20 + term: what every log with such an entry must have there and right before. */
  readonly #entries = new Map<number, { data: Buffer; type: number; prevTerm: number }>();
  /** By index: term of the committed entry, and the term in which it was first seen committed. */
  readonly #committed: { term: number; seenIn: number }[] = [];
  readonly #confStates = new Map<number, string>();
  readonly #digests = new Map<number, number>();
  /** Highest index that any node has seen committed, ever. */
  maxCommit = 0;

  /** Election safety, and leader completeness at the moment of election. */
  leader(node: Observed, term: number): void {
    const known = this.#leaders.get(term);
    check(
      known === undefined || known === node.id,
      () => `two leaders in ${term}: ${known} ${node.id}`,
    );
    if (known !== undefined) return;
    this.#leaders.set(term, node.id);
    for (let i = this.maxCommit; i > node.mirror.base.index; i--) {
      const committed = this.#committed[i];
      if (committed === undefined || committed.seenIn >= term) continue;
      check(
        imageTerm(node.mirror, i) === committed.term,
        () => `leader ${node.id} of term ${term} lacks committed entry ${i}`,
      );
      // By log matching the entries before agree, too.
      return;
    }
  }

  /**
   * Log matching, by induction over every entry that gets onto a disk or onto the network. What did
   * neither before a crash may differ: nobody has seen it.
   */
  entries(id: RaftId, prevTerm: number, entries: readonly Entry[]): void {
    let before = prevTerm;
    for (const entry of entries) {
      const key = entry.index * 2 ** 20 + entry.term;
      const known = this.#entries.get(key);
      const { data, type, term } = entry;
      if (known === undefined) this.#entries.set(key, { data, type, prevTerm: before });
      else {
        check(
          known.prevTerm === before && known.type === type && known.data.equals(data),
          () => `logs differ at ${entry.index}, term ${term}, node ${id}`,
        );
      }
      before = term;
    }
  }

  /** A node's commit index moved from `before` to `after`. */
  committed(
    node: Observed & { confState: ConfState; term: number },
    before: number,
    after: number,
  ): void {
    check(after >= before, () => `commit of ${node.id} went from ${before} to ${after}`);
    for (let i = before + 1; i <= after; i++) {
      const term = imageTerm(node.mirror, i);
      if (term === undefined) continue;
      const known = this.#committed[i];
      check(
        known === undefined || known.term === term,
        () => `committed entry ${i}: term ${known?.term} elsewhere, ${term} at ${node.id}`,
      );
      if (known === undefined) this.#committed[i] = { term, seenIn: node.term };
    }
    this.maxCommit = Math.max(this.maxCommit, after);
  }

  /** What a leader newly commits is durable at a quorum. */
  durableAtQuorum(
    nodes: readonly Observed[],
    confState: ConfState,
    index: number,
    term: number,
  ): void {
    const holds = (id: RaftId): boolean => {
      const durable = nodes.find((node) => node.id === id)?.durable;
      if (durable === undefined) return false;
      return durable.base.index >= index || imageTerm(durable, index) === term;
    };
    check(
      jointVote(configurationOf(confState), holds) === 'won',
      () => `entry ${index} of term ${term} was committed without a durable quorum`,
    );
  }

  /** State machine safety. */
  applied(id: RaftId, index: number, digest: number, confState: ConfState): void {
    const known = this.#digests.get(index);
    check(
      known === undefined || known === digest,
      () => `${id} applied something else at ${index}`,
    );
    this.#digests.set(index, digest);
    const conf = [...confState.voters, '|', ...confState.votersOutgoing, '|', ...confState.learners]
      .concat('|', confState.learnersNext.map(String), String(confState.autoLeave))
      .join(' ');
    const knownConf = this.#confStates.get(index);
    check(knownConf === undefined || knownConf === conf, () => `configurations differ at ${index}`);
    this.#confStates.set(index, conf);
  }

  /** Entries are handed out only once they are durable here. */
  handedOut(node: Observed, entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    check(
      node.durable.base.index >= last.index || imageTerm(node.durable, last.index) === last.term,
      () => `${node.id} was given ${last.index} to apply before it was durable`,
    );
  }

  /** Nothing is promised before it is durable. Called as a message reaches the network. */
  sent(node: Observed, message: Message): void {
    const { hardState } = node.durable;
    const votedFor = (id: RaftId) =>
      hardState.term > message.term || (hardState.term === message.term && hardState.vote === id);
    switch (message.type) {
      case MessageType.APPEND:
        this.entries(node.id, message.logTerm, message.entries);
        check(votedFor(node.id), () => `${node.id} replicates on a vote that may get lost`);
        return;
      case MessageType.VOTE:
      case MessageType.HEARTBEAT:
        check(
          votedFor(node.id),
          () => `${node.id} acts in ${message.term} on a vote that may get lost`,
        );
        return;
      case MessageType.VOTE_RESPONSE:
        check(
          message.reject || votedFor(message.to),
          () => `${node.id} gave a vote that may get lost`,
        );
        return;
      case MessageType.APPEND_RESPONSE:
        // One of an earlier term was true when it was written, and its leader's successor has been
        // told.
        check(
          message.reject ||
            message.term < hardState.term ||
            imageLast(node.durable) >= message.index,
          () => `${node.id} acknowledged ${message.index}, durable is ${imageLast(node.durable)}`,
        );
        return;
      default:
    }
  }
}
