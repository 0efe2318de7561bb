import { fieldBytes, type HeaderField, STATIC_TABLE } from './static-table.ts';

/** When so many evicted entries stand before the live ones, the array is compacted. */
const COMPACT_AFTER = 128;

/** RFC 7541, 2.3.2: the newest entry has the lowest index; the oldest give way. */
export class DynamicTable {
  /** Oldest first; those before `#first` are evicted. */
  #entries: HeaderField[] = [];
  #first = 0;
  #bytes = 0;
  #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#entries.length - this.#first;
  }

  /** Sum of the entries' sizes; at most `maxBytes`. */
  get bytes(): number {
    return this.#bytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evictTo(maxBytes);
  }

  /** An entry larger than the table just empties it (RFC 7541, 4.4). */
  insert(field: HeaderField): void {
    const bytes = fieldBytes(field);
    this.#evictTo(this.#maxBytes - bytes);
    if (bytes > this.#maxBytes) return;
    this.#entries.push(field);
    this.#bytes += bytes;
  }

  /** By HPACK's index over both tables, from 1; undefined if there is no such entry. */
  at(index: number): HeaderField | undefined {
    if (index <= STATIC_TABLE.length) return STATIC_TABLE[index - 1];
    const age = index - STATIC_TABLE.length - 1;
    return age < this.length ? this.#entries[this.#entries.length - 1 - age] : undefined;
  }

  /** HPACK's index of an entry of this table with this name and value; 0 if none. */
  indexOf(field: HeaderField): number {
    for (let i = this.#entries.length - 1; i >= this.#first; i--) {
      const entry = this.#entries[i];
      if (entry?.name === field.name && entry.value === field.value) {
        return STATIC_TABLE.length + (this.#entries.length - i);
      }
    }
    return 0;
  }

  #evictTo(bytes: number): void {
    while (this.#bytes > bytes && this.length > 0) {
      const oldest = this.#entries[this.#first];
      if (oldest) this.#bytes -= fieldBytes(oldest);
      this.#first += 1;
    }
    if (this.#first < COMPACT_AFTER && this.length > 0) return;
    this.#entries.splice(0, this.#first);
    this.#first = 0;
  }
}
