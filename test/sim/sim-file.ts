import type { Chance } from './chance.ts';

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;

type Change =
  | { kind: 'write'; position: number; bytes: Buffer }
  | { kind: 'truncate'; length: number };

/** Bytes that grow. */
class Contents {
  #bytes: Buffer;
  length: number;

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#bytes = bytes;
    this.length = bytes.length;
  }

  apply(change: Change): void {
    if (change.kind === 'truncate') {
      if (change.length > this.length) this.#reserve(change.length);
      else this.#bytes.fill(0, change.length, this.length);
      this.length = change.length;
      return;
    }
    const end = change.position + change.bytes.length;
    this.#reserve(end);
    change.bytes.copy(this.#bytes, change.position);
    this.length = Math.max(this.length, end);
  }

  copy(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.length));
  }

  flip(bit: number): void {
    const at = bit >> 3;
    this.#bytes[at] = (this.#bytes[at] as number) ^ (1 << (bit & 7));
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const grown = Buffer.alloc(Math.max(length, this.#bytes.length * 2, 4096));
    this.#bytes.copy(grown, 0, 0, this.length);
    this.#bytes = grown;
  }
}

/** A file as processes see it, and as it is on the disk: the page cache lies between the two. */
export class SimFile {
  #cache = new Contents();
  #durable = new Contents();
  /** In the cache alone, oldest first. */
  #dirty: Change[] = [];
  /** Lost by a sync that failed or lied: processes see them, and no later sync writes them. */
  #phantom: Change[] = [];
  /** Changes that left `#dirty`. */
  #settled = 0;

  get length(): number {
    return this.#cache.length;
  }

  read(): Buffer {
    return this.#cache.copy();
  }

  durableBytes(): Buffer {
    return this.#durable.copy();
  }

  get isDurable(): boolean {
    return this.#dirty.length === 0 && this.#phantom.length === 0;
  }

  write(bytes: Uint8Array, position: number): void {
    this.#change({ kind: 'write', position, bytes: Buffer.from(bytes) });
  }

  truncate(length: number): void {
    this.#change({ kind: 'truncate', length });
  }

  /** The number of the last change: what a sync that starts now reaches up to. */
  get lastChange(): number {
    return this.#settled + this.#dirty.length;
  }

  /** The changes up to that number are on the disk. */
  synced(upTo: number): void {
    for (const change of this.#settle(upTo)) this.#durable.apply(change);
  }

  /** The kernel took them for written, and they are not. */
  syncFailed(upTo: number): void {
    this.#phantom.push(...this.#settle(upTo));
  }

  /**
   * The power went: of what was not synced nothing is left, or some; with `tears` all but a part of what was written
   * last. Answers how many changes got through not at all, or in part.
   */
  powerCut(chance: Chance, tears = false): { lost: number; torn: number } {
    const pending = [...this.#phantom, ...this.#dirty];
    let applied = 0;
    let torn = 0;
    if (pending.length > 0 && tears) {
      for (const change of pending.slice(0, -1)) this.#durable.apply(change);
      applied = pending.length - 1;
      torn = this.#cutShort(pending.at(-1) as Change, chance) ? 1 : 0;
    } else if (pending.length > 0 && chance.happens(0.6)) {
      const kept = chance.integer(0, pending.length);
      const inOrder = chance.happens(0.6);
      pending.forEach((change, i) => {
        if (inOrder ? i < kept : chance.happens(0.5)) {
          this.#durable.apply(change);
          applied++;
        } else if ((i === kept || !inOrder) && this.#tear(change, chance)) torn++;
      });
    }
    this.#dirty = [];
    this.#phantom = [];
    this.#cache = new Contents(this.#durable.copy());
    return { lost: pending.length - applied - torn, torn };
  }

  /** Rot: one bit of what is on the disk. */
  flipBit(bit: number): void {
    this.#durable.flip(bit);
    this.#cache.flip(bit);
  }

  #settle(upTo: number): Change[] {
    const settled = this.#dirty.splice(0, Math.max(0, upTo - this.#settled));
    this.#settled += settled.length;
    return settled;
  }

  #change(change: Change): void {
    this.#cache.apply(change);
    this.#dirty.push(change);
  }

  /** The beginning of a write got through. */
  #cutShort(change: Change, chance: Chance): boolean {
    if (change.kind === 'truncate' || change.bytes.length < 2) return false;
    const bytes = change.bytes.subarray(0, chance.integer(1, change.bytes.length - 1));
    this.#durable.apply({ ...change, bytes });
    return true;
  }

  /** Some sectors of a write got through; the file may have grown without its contents. */
  #tear(change: Change, chance: Chance): boolean {
    if (change.kind === 'truncate') return false;
    let written = false;
    const { position, bytes } = change;
    const upTo = chance.happens(0.5) ? chance.integer(0, bytes.length) : bytes.length;
    for (let at = 0; at < upTo; ) {
      const sectorEnd = Math.floor((position + at) / SECTOR_BYTES + 1) * SECTOR_BYTES;
      const end = Math.min(upTo, sectorEnd - position);
      if (chance.happens(0.6)) {
        const part = bytes.subarray(at, end);
        this.#durable.apply({ kind: 'write', position: position + at, bytes: part });
        written = true;
      }
      at = end;
    }
    return written;
  }
}
