import type { Entry, HardState } from '../../proto/raftdeck/raft.ts';
import type { WalGroupState, WalSnapshotMark } from './types.ts';

function emptyMark(): WalSnapshotMark {
  const confState = {
    voters: [],
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  return { index: 0, term: 0, confState };
}

/** What the log says of one group, as its items are read in order. */
export class GroupReplay {
  #hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  #snapshot = emptyMark();
  /**
   * Contiguous. May begin after a hole while released segments are missing; a later mark has to
   * cover the hole.
   */
  #entries: Entry[] = [];

  hardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  /**
   * Raft's rule for a snapshot (thesis 5.3): what follows an entry of the same index and term
   * stays, else all goes.
   */
  snapshot(mark: WalSnapshotMark): void {
    // The head of each segment repeats the mark in force; a first one at 0 carries the members.
    if (mark.index < this.#snapshot.index) return;
    const first = this.#entries[0]?.index ?? 0;
    // A mark before the first entry says nothing of the entries: there is a hole that a later mark
    // covers.
    if (mark.index > this.#snapshot.index && mark.index >= first) {
      const same = this.#entries[mark.index - first]?.term === mark.term;
      this.#entries = same ? this.#entries.slice(mark.index - first + 1) : [];
    }
    this.#snapshot = mark;
  }

  /** An entry at or before the last one replaces it and everything after. */
  entry(entry: Entry): void {
    const first = this.#entries[0]?.index ?? entry.index;
    const last = first + this.#entries.length - 1;
    if (entry.index <= this.#snapshot.index) return;
    if (entry.index < first || entry.index > last + 1) this.#entries = [];
    else this.#entries.length = entry.index - first;
    this.#entries.push(entry);
  }

  /** Undefined if entries between the mark and the first one are missing. */
  finish(): WalGroupState | undefined {
    const first = this.#entries[0];
    if (first !== undefined && first.index !== this.#snapshot.index + 1) return undefined;
    return { hardState: this.#hardState, snapshot: this.#snapshot, entries: this.#entries };
  }
}
