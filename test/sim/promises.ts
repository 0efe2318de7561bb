import { idToHex } from '../../src-main/base/bytes.ts';
import type { RaftRestore } from '../../src-main/node/raft/types.ts';
import type { WalBatch } from '../../src-main/node/wal/types.ts';
import { type Message, MessageType } from '../../src-main/proto/raftdeck/raft.ts';
import type { RestartObservation } from './history.ts';

/** Only the leader of the term says these. */
const LEADERS: ReadonlySet<MessageType> = new Set([
  MessageType.APPEND,
  MessageType.HEARTBEAT,
  MessageType.SNAPSHOT,
  MessageType.TIMEOUT_NOW,
]);

/**
 * What a member has said that others act upon, so that it must remember it for good (Raft thesis, figure 3.1:
 * persistent state). Refusals and answers to heartbeats and pre-votes bind nobody.
 */
export class Promises {
  #term = 0;
  #vote = 0n;
  /** Last entry that it acknowledged or applied and did not replace since. */
  #lastIndex = 0;

  said(message: Message): void {
    const { type, term, from, to, reject, index } = message;
    if (type === MessageType.VOTE || LEADERS.has(type)) this.#votes(term, from);
    else if (type === MessageType.VOTE_RESPONSE && !reject) this.#votes(term, to);
    else if (type === MessageType.APPEND_RESPONSE && !reject) {
      this.#votes(term, 0n);
      this.#lastIndex = Math.max(this.#lastIndex, index);
    }
  }

  applied(index: number): void {
    this.#lastIndex = Math.max(this.#lastIndex, index);
  }

  /** Entries that a newer leader replaces are not promised any more. */
  writes({ entries }: WalBatch): void {
    const first = entries?.[0];
    if (first !== undefined) this.#lastIndex = Math.min(this.#lastIndex, first.index - 1);
  }

  /** Sets what was promised against what the next life found on the disk. */
  kept({
    hardState,
    entries,
    snapshot,
  }: RaftRestore): Pick<RestartObservation, 'promised' | 'found'> {
    const lastIndex = entries.at(-1)?.index ?? snapshot.index;
    return {
      promised: { term: this.#term, vote: nameOf(this.#vote), lastIndex: this.#lastIndex },
      found: { term: hardState.term, vote: nameOf(hardState.vote), lastIndex },
    };
  }

  #votes(term: number, vote: bigint): void {
    if (term < this.#term) return;
    if (term > this.#term) this.#vote = 0n;
    this.#term = term;
    if (vote !== 0n) this.#vote = vote;
  }
}

function nameOf(id: bigint): string {
  return id === 0n ? '0' : idToHex(id);
}
