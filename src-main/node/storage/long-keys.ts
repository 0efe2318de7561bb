import {
  CHUNK_BYTES,
  childPrefix,
  decodePointer,
  encodePointer,
  NEXT_ID_KEY,
  type Pointer,
  pointerKey,
  ROOT_PREFIX,
  rowKey,
} from './physical-keys.ts';

type PhysicalGet = (key: Buffer) => Buffer | undefined;

interface Step {
  key: Buffer;
  pointer: Pointer;
}

/**
 * Follows a long key to the node that holds its row; undefined if a pointer on the way is missing.
 */
export function findLongRow(get: PhysicalGet, key: Uint8Array): Buffer | undefined {
  let prefix = ROOT_PREFIX;
  let rest = key;
  while (rest.length > CHUNK_BYTES) {
    const value = get(pointerKey(prefix, rest));
    if (value === undefined) return undefined;
    prefix = childPrefix(decodePointer(value).child);
    rest = rest.subarray(CHUNK_BYTES);
  }
  return rowKey(prefix, rest);
}

/**
 * Collects what the long keys of one flush change in one table. Nothing is written before `changes`
 * is put into the flush's transaction; reads see what was collected so far.
 */
export class LongKeyWriter {
  /** By the physical key's bytes as latin1; undefined is a deletion. */
  readonly #changes = new Map<string, Buffer | undefined>();
  readonly #get: PhysicalGet;

  constructor(get: PhysicalGet) {
    this.#get = get;
  }

  *changes(): Iterable<[Buffer, Buffer | undefined]> {
    for (const [key, value] of this.#changes) yield [Buffer.from(key, 'latin1'), value];
  }

  put(key: Uint8Array, value: Buffer): void {
    const steps: Step[] = [];
    /** The first step that had to be made anew. */
    let firstNew = Number.POSITIVE_INFINITY;
    let prefix = ROOT_PREFIX;
    let rest = key;
    while (rest.length > CHUNK_BYTES) {
      const at = pointerKey(prefix, rest);
      const found = this.#read(at);
      if (found === undefined) firstNew = Math.min(firstNew, steps.length);
      const pointer =
        found === undefined ? { child: this.#takeId(), rows: 0 } : decodePointer(found);
      steps.push({ key: at, pointer });
      prefix = childPrefix(pointer.child);
      rest = rest.subarray(CHUNK_BYTES);
    }
    const row = rowKey(prefix, rest);
    const isNew = this.#read(row) === undefined;
    this.#write(row, value);
    if (!isNew) return;
    // The new row counts in the last node, and each new pointer in the node above it.
    for (let i = steps.length - 1; i >= 0; i--) {
      const step = steps[i] as Step;
      step.pointer.rows++;
      this.#write(step.key, encodePointer(step.pointer));
      if (i < firstNew) break;
    }
  }

  delete(key: Uint8Array): void {
    const steps: Step[] = [];
    let prefix = ROOT_PREFIX;
    let rest = key;
    while (rest.length > CHUNK_BYTES) {
      const at = pointerKey(prefix, rest);
      const found = this.#read(at);
      if (found === undefined) return;
      const pointer = decodePointer(found);
      steps.push({ key: at, pointer });
      prefix = childPrefix(pointer.child);
      rest = rest.subarray(CHUNK_BYTES);
    }
    const row = rowKey(prefix, rest);
    if (this.#read(row) === undefined) return;
    this.#write(row, undefined);
    // A node that lost its last row goes, and with it its pointer in the node above.
    for (let i = steps.length - 1; i >= 0; i--) {
      const step = steps[i] as Step;
      step.pointer.rows--;
      if (step.pointer.rows > 0) {
        this.#write(step.key, encodePointer(step.pointer));
        break;
      }
      this.#write(step.key, undefined);
    }
  }

  #takeId(): number {
    const stored = this.#read(NEXT_ID_KEY);
    const id = stored === undefined ? 1 : Number(stored.readBigUInt64BE(0));
    const next = Buffer.alloc(8);
    next.writeBigUInt64BE(BigInt(id + 1));
    this.#write(NEXT_ID_KEY, next);
    return id;
  }

  #read(key: Buffer): Buffer | undefined {
    const name = key.toString('latin1');
    return this.#changes.has(name) ? this.#changes.get(name) : this.#get(key);
  }

  #write(key: Buffer, value: Buffer | undefined): void {
    this.#changes.set(key.toString('latin1'), value);
  }
}
