import { assert } from '../../base/assert.ts';
import { EntryType } from '../../proto/raftdeck/raft.ts';
import type { Entry } from './types.ts';

/** What an entry weighs in limits beyond its data: term, index, type and framing. */
export const ENTRY_OVERHEAD_BYTES = 24;
/** Entries of one Ready.committed: the driver applies them in one go. */
export const MAX_COMMITTED_PER_READY = 8192;

export function entryBytes(entry: Entry): number {
  return entry.data.length + ENTRY_OVERHEAD_BYTES;
}

/** Entries that the driver was given and has not reported durable. */
interface Write {
  /** Of the last entry: how the driver names the write. */
  readonly index: number;
  readonly term: number;
  /** Durable up to here once the write is. <= index; lower after a truncation behind its back. */
  stableTo: number;
}

/**
 * The log in memory, from its base on. Invariants, at any time:
 * base <= applied <= handedOut <= commit, handedOut <= stable <= written <= last, and base <=
 * commit <= last.
 */
export class RaftLog {
  /** Entry i has index baseIndex + 1 + i; terms never go down. */
  #entries: Entry[];
  /** The last index that is compacted away; 0 for none. Never goes down. */
  #baseIndex: number;
  /** Term of the entry at the base; 0 for none. */
  #baseTerm: number;
  /** Highest index known to be committed. Never goes down. */
  #commit: number;
  /** Highest index that the state machine holds. Never goes down. */
  #applied: number;
  /** Highest index given out as committed. Never goes down. */
  #handedOut: number;
  /** Highest index that is durable here, as reported. Goes down by truncation only. */
  #stable: number;
  /** Highest index given to the driver to write. Goes down by truncation only. */
  #written: number;
  /** Of #entries, as limits count them. */
  #bytes = 0;
  /** Oldest first. One element for each Ready with entries that is under way. */
  #writes: Write[] = [];

  constructor(
    base: { index: number; term: number },
    entries: readonly Entry[],
    commit: number,
    applied: number,
  ) {
    this.#baseIndex = base.index;
    this.#baseTerm = base.term;
    this.#entries = entries.slice();
    let term = base.term;
    for (const [i, entry] of this.#entries.entries()) {
      assert(entry.index === base.index + 1 + i, `log has a gap before index ${entry.index}`);
      assert(entry.term >= term, `term goes down at index ${entry.index}`);
      term = entry.term;
      this.#bytes += entryBytes(entry);
    }
    assert(applied >= base.index, 'applied index is before the start of the log');
    assert(commit >= applied, 'applied index is beyond the commit index');
    assert(commit <= this.lastIndex, 'commit index is beyond the end of the log');
    this.#commit = commit;
    this.#applied = applied;
    this.#handedOut = applied;
    this.#stable = this.lastIndex;
    this.#written = this.lastIndex;
  }

  get baseIndex(): number {
    return this.#baseIndex;
  }
  get firstIndex(): number {
    return this.#baseIndex + 1;
  }
  get lastIndex(): number {
    return this.#baseIndex + this.#entries.length;
  }
  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.#baseTerm;
  }
  get commit(): number {
    return this.#commit;
  }
  get applied(): number {
    return this.#applied;
  }
  get stable(): number {
    return this.#stable;
  }

  /** What the entries weigh together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The lowest index that leaves at most `maxBytes` of entries behind it; the last index if need be. */
  indexBefore(maxBytes: number): number {
    let index = this.#baseIndex;
    for (let over = this.#bytes - maxBytes; over > 0 && index < this.lastIndex; index++) {
      over -= entryBytes(this.#entries[index - this.#baseIndex] as Entry);
    }
    return index;
  }

  /** Undefined for an index that is compacted or not there yet. */
  term(index: number): number | undefined {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.#entries[index - this.firstIndex]?.term;
  }

  matches(index: number, term: number): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends so may lead one that ends like ours (thesis 3.6.1). */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);
  }

  /** Entries from the index on, as many as fit, but at least one if there is one. */
  slice(from: number, maxBytes: number): Entry[] {
    assert(from >= this.firstIndex, `index ${from} is compacted`);
    const start = from - this.firstIndex;
    let end = start;
    let bytes = 0;
    for (; end < this.#entries.length; end++) {
      const entry = this.#entries[end];
      if (entry === undefined) break;
      bytes += entryBytes(entry);
      if (bytes > maxBytes && end > start) break;
    }
    return this.#entries.slice(start, end);
  }

  /** Bytes of the entries in (after, upTo]. */
  bytesBetween(after: number, upTo: number): number {
    let bytes = 0;
    for (let i = after + 1; i <= upTo; i++) {
      const entry = this.#entries[i - this.firstIndex];
      if (entry !== undefined) bytes += entryBytes(entry);
    }
    return bytes;
  }

  /** A configuration change that is committed and not applied yet. */
  hasUnappliedConfChange(): boolean {
    for (let i = this.#applied + 1; i <= this.#commit; i++) {
      if (this.#entries[i - this.firstIndex]?.type === EntryType.CONF_CHANGE) return true;
    }
    return false;
  }

  /** The leader's own append: it never replaces anything (Leader Append-Only, thesis 3.2). */
  append(entry: Entry): void {
    assert(entry.index === this.lastIndex + 1, `append of ${entry.index} leaves a gap`);
    assert(entry.term >= this.lastTerm, 'append of an older term');
    this.#entries.push(entry);
    this.#bytes += entryBytes(entry);
  }

  /**
   * The follower's append after (prevIndex, prevTerm): entries that are there already are skipped,
   * and from the first that differs on, the old ones go. False if the logs do not agree at
   * prevIndex.
   */
  tryAppend(prevIndex: number, prevTerm: number, entries: readonly Entry[]): boolean {
    if (!this.matches(prevIndex, prevTerm)) return false;
    for (const [i, entry] of entries.entries()) {
      if (this.matches(entry.index, entry.term)) continue;
      if (entry.index <= this.lastIndex) this.#truncate(entry.index);
      for (const fresh of entries.slice(i)) this.append(fresh);
      return true;
    }
    return true;
  }

  #truncate(from: number): void {
    assert(from > this.#commit, `entry ${from} is committed and would be replaced`);
    this.#bytes -= this.bytesBetween(from - 1, this.lastIndex);
    this.#entries.length = from - this.firstIndex;
    this.#stable = Math.min(this.#stable, from - 1);
    this.#written = Math.min(this.#written, from - 1);
    // A write of what was there before says nothing about what comes instead, even if, after
    // further truncations, the very same entries come back: the disk held others in between.
    for (const write of this.#writes) write.stableTo = Math.min(write.stableTo, from - 1);
  }

  /**
   * The highest index <= the given one whose term is <= the given one: where a log that has this
   * term at the index may agree with ours. All the entries of a conflicting term are skipped in one
   * exchange (thesis 5.3).
   */
  findConflictByTerm(index: number, term: number): { index: number; term: number } {
    let at = Math.min(index, this.lastIndex);
    while (at > this.#baseIndex) {
      const ours = this.term(at);
      if (ours === undefined || ours <= term) break;
      at--;
    }
    // Below the base nothing is known; 0 says so.
    return { index: at, term: this.term(at) ?? 0 };
  }

  /** True if the commit index moved. */
  commitTo(index: number): boolean {
    if (index <= this.#commit) return false;
    assert(index <= this.lastIndex, `commit of ${index}, but the log ends at ${this.lastIndex}`);
    this.#commit = index;
    return true;
  }

  get hasUnwritten(): boolean {
    return this.#written < this.lastIndex;
  }

  /** What the driver must write next. */
  takeUnwritten(): Entry[] {
    if (!this.hasUnwritten) return [];
    const entries = this.#entries.slice(this.#written + 1 - this.firstIndex);
    this.#written = this.lastIndex;
    this.#writes.push({ index: this.lastIndex, term: this.lastTerm, stableTo: this.lastIndex });
    return entries;
  }

  /**
   * The write whose last entry this is, and all before it, are durable. A name that no write under
   * way has is ignored; where several have it, the oldest is meant. True if the durable index
   * moved.
   */
  persisted(index: number, term: number): boolean {
    const at = this.#writes.findIndex((write) => write.index === index && write.term === term);
    const before = this.#stable;
    for (const write of this.#writes.splice(0, at + 1)) {
      this.#stable = Math.max(this.#stable, write.stableTo);
    }
    return this.#stable > before;
  }

  get hasCommitted(): boolean {
    return this.#handedOut < Math.min(this.#commit, this.#stable);
  }

  /** Entries to apply: committed, durable here, and not given out before. */
  takeCommitted(): Entry[] {
    const end = Math.min(this.#commit, this.#stable, this.#handedOut + MAX_COMMITTED_PER_READY);
    if (end <= this.#handedOut) return [];
    const first = this.#handedOut + 1 - this.firstIndex;
    const entries = this.#entries.slice(first, end + 1 - this.firstIndex);
    this.#handedOut = end;
    return entries;
  }

  /** An index that is already applied, such as one that a snapshot overtook, changes nothing. */
  appliedTo(index: number): void {
    if (index <= this.#applied) return;
    assert(index <= this.#handedOut, `entry ${index} was applied but not given out`);
    this.#applied = index;
  }

  /** Forgets entries up to the index, which must be applied. */
  compact(index: number): void {
    if (index <= this.#baseIndex) return;
    assert(index <= this.#applied, `entry ${index} is not applied and cannot be compacted`);
    const term = this.term(index);
    assert(term !== undefined, 'an applied entry is in the log');
    this.#bytes -= this.bytesBetween(this.#baseIndex, index);
    this.#entries = this.#entries.slice(index - this.#baseIndex);
    this.#baseIndex = index;
    this.#baseTerm = term;
  }

  /**
   * The state is a snapshot's now. Entries after it stay if the log had the snapshot's last entry.
   */
  restore(index: number, term: number): void {
    assert(index > this.#handedOut, 'a snapshot would replace newer state');
    const keep = this.matches(index, term);
    this.#bytes = keep ? this.bytesBetween(index, this.lastIndex) : 0;
    this.#entries = keep ? this.#entries.slice(index - this.#baseIndex) : [];
    this.#baseIndex = index;
    this.#baseTerm = term;
    this.#commit = Math.max(this.#commit, index);
    assert(this.#commit <= this.lastIndex, 'a snapshot would drop committed entries');
    this.#applied = index;
    this.#handedOut = index;
    this.#stable = keep ? Math.max(this.#stable, index) : index;
    this.#written = keep ? Math.max(this.#written, index) : index;
    if (!keep) this.#writes = [];
  }
}
