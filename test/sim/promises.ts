import { type Message, MessageType } from '../../src-main/proto/raftdeck/raft.ts';

/** What a member's log held when its process opened it. */
export interface Restored {
  term: number;
  /** 0n for none. */
  vote: bigint;
  lastIndex: number;
}

/** What a member has told the others, over all its lives: Raft's safety rests on its being kept. */
interface Promised {
  /** Highest term that it has acted in. */
  term: number;
  /** Whom it voted for, by term. */
  votes: Map<number, bigint>;
  /** Highest index acknowledged to the leader of the newest term that it has acknowledged anything in. */
  acknowledged: { inTerm: number; index: number };
  /** While it leads: the commit index that it began with, or has rightly moved to. */
  leads: { term: number; commit: number };
}

/** The log of whoever sends. */
export interface SentFrom {
  readonly lastIndex: number;
  term(index: number): number | undefined;
}

export type Complaint = (property: string, detail: string) => void;

/** Listens to what members send, and holds them to it when they start again (Raft thesis, figure 3.1). */
export class Promises {
  readonly #members = new Map<bigint, Promised>();

  /** `log` is the sender's, as far as it was handed to the disk. */
  sent(messages: readonly Message[], log: SentFrom, complain: Complaint): void {
    for (const message of messages) {
      const promised = this.#of(message.from);
      if (message.type === MessageType.VOTE) this.#vote(promised, message, message.from, complain);
      else if (message.type === MessageType.VOTE_RESPONSE && !message.reject) {
        this.#vote(promised, message, message.to, complain);
      } else if (message.type === MessageType.APPEND_RESPONSE && !message.reject) {
        acknowledge(promised, message, log, complain);
      } else if (message.type === MessageType.APPEND) {
        commit(promised, message, log, complain);
      }
    }
  }

  /** Its log was changed while it is in that term. */
  logged(member: bigint, term: number, lastIndex: number, complain: Complaint): void {
    const { inTerm, index } = this.#of(member).acknowledged;
    if (term !== inTerm || lastIndex >= index) return;
    complain('kept: acknowledged entries', `it cut off ${index}, acknowledged in term ${term}`);
  }

  /** It comes back with what its disk holds. */
  opened(member: bigint, restored: Restored, complain: Complaint): void {
    const promised = this.#members.get(member);
    if (promised === undefined) return;
    if (restored.term < promised.term) {
      complain('kept: term', `it acted in term ${promised.term} and starts in ${restored.term}`);
    }
    const voted = promised.votes.get(restored.term);
    if (voted !== undefined && voted !== restored.vote) {
      complain('kept: vote', `it voted in term ${restored.term} and starts without that vote`);
    }
    const { inTerm, index } = promised.acknowledged;
    // A leader of a later term may have cut off what was acknowledged to this one.
    if (restored.term > inTerm || restored.lastIndex >= index) return;
    complain(
      'kept: acknowledged entries',
      `it acknowledged ${index} in term ${inTerm} and its log ends at ${restored.lastIndex}`,
    );
  }

  #vote(promised: Promised, { term }: Message, candidate: bigint, complain: Complaint): void {
    promised.term = Math.max(promised.term, term);
    const other = promised.votes.get(term);
    if (other === undefined) promised.votes.set(term, candidate);
    else if (other !== candidate) {
      complain('one vote', `in term ${term} for ${other.toString(16)}, ${candidate.toString(16)}`);
    }
  }

  #of(member: bigint): Promised {
    const known = this.#members.get(member);
    if (known !== undefined) return known;
    const made: Promised = {
      term: 0,
      votes: new Map(),
      acknowledged: { inTerm: 0, index: 0 },
      leads: { term: 0, commit: 0 },
    };
    this.#members.set(member, made);
    return made;
  }
}

function acknowledge(
  promised: Promised,
  { term, index }: Message,
  log: SentFrom,
  complain: Complaint,
): void {
  if (index > log.lastIndex) {
    complain('kept: acknowledged entries', `it acknowledges ${index} and has ${log.lastIndex}`);
  }
  promised.term = Math.max(promised.term, term);
  const { inTerm, index: before } = promised.acknowledged;
  if (term < inTerm) return;
  promised.acknowledged = { inTerm: term, index: term > inTerm ? index : Math.max(before, index) };
}

/** A leader counts replicas of entries of its own term alone; older ones are committed with them (thesis 3.6.2). */
function commit(promised: Promised, message: Message, log: SentFrom, complain: Complaint): void {
  const { leads } = promised;
  if (message.term !== leads.term) {
    promised.leads = { term: message.term, commit: message.commit };
    return;
  }
  if (message.commit <= leads.commit) return;
  leads.commit = message.commit;
  const term = log.term(message.commit);
  if (term === undefined || term === message.term) return;
  const text = `leader of term ${message.term} commits ${message.commit}, which is of term ${term}`;
  complain('commitment', text);
}
