import type { RaftRestore } from '../../src-main/node/raft/types.ts';
import type { WalBatch } from '../../src-main/node/wal/types.ts';
import type { Entry } from '../../src-main/proto/raftdeck/raft.ts';
import type { LogEntry } from './history.ts';

/** A member's log as it was handed to the write-ahead log: what it would find after a crash, or a little more. */
export class LogMirror {
  #baseIndex: number;
  #baseTerm: number;
  #entries: LogEntry[];
  commit: number;
  /** Up to here it is on the disk, as far as the disk says. */
  durable: number;

  constructor({ snapshot, entries, hardState }: RaftRestore) {
    this.#baseIndex = snapshot.index;
    this.#baseTerm = snapshot.term;
    this.#entries = entries.map(toLogEntry);
    this.commit = hardState.commit;
    this.durable = this.lastIndex;
  }

  get firstIndex(): number {
    return this.#baseIndex + 1;
  }

  get lastIndex(): number {
    return this.#baseIndex + this.#entries.length;
  }

  term(index: number): number | undefined {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.#entries[index - this.firstIndex]?.term;
  }

  /** The entry is on its disk; one that is compacted was. */
  holds(index: number, term: number): boolean {
    return index < this.firstIndex || (index <= this.durable && this.term(index) === term);
  }

  entries(): LogEntry[] {
    return this.#entries.slice();
  }

  note({ hardState, entries, snapshot }: WalBatch): void {
    const first = entries?.[0];
    if (entries !== undefined && first !== undefined) {
      this.#entries.length = Math.max(0, first.index - this.firstIndex);
      this.durable = Math.min(this.durable, this.lastIndex);
      for (const entry of entries) this.#entries.push(toLogEntry(entry));
    }
    if (snapshot !== undefined && snapshot.index > this.#baseIndex) {
      const keeps = this.term(snapshot.index) === snapshot.term;
      this.#entries = keeps ? this.#entries.slice(snapshot.index - this.#baseIndex) : [];
      this.#baseIndex = snapshot.index;
      this.#baseTerm = snapshot.term;
    }
    if (hardState !== undefined) this.commit = Math.max(this.commit, hardState.commit);
  }
}

function toLogEntry({ index, term, type, data }: Entry): LogEntry {
  // Enough to tell two entries apart: a request's bytes begin with its id.
  let digest = data.length * 4 + type;
  for (let i = 0; i < Math.min(data.length, 16); i++) {
    digest = (Math.imul(digest, 31) + (data[i] as number)) >>> 0;
  }
  return { index, term, digest };
}
