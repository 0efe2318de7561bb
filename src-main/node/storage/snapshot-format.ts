import { crc32 } from 'node:zlib';
import { storageError } from './errors.ts';
import { compareKeys } from './key-order.ts';
import type { StoredRow } from './table-cursor.ts';
import { TABLES, type TableName } from './types.ts';

/*
 * The stream of an exported state; README.md in this folder has the layout and a worked example.
 */
const MAGIC: Buffer = Buffer.from('RDSTATE\n', 'latin1');
const VERSION = 1;
/** Where the number of a table stands in a row: this one ends the stream. */
const END = 0xff;
const ROW_HEADER_BYTES = 9;
const TRAILER_BYTES = 13;
export const SNAPSHOT_CHUNK_BYTES: number = 256 * 1024;
/** A row above this is taken for a corrupt length before memory is spent on it. */
const MAX_ROW_BYTES = 256 * 1024 * 1024;

export interface SnapshotRow extends StoredRow {
  table: TableName;
}

/** Gathers bytes into chunks of at most SNAPSHOT_CHUNK_BYTES and keeps the CRC over all of them. */
export class SnapshotWriter {
  readonly #full: Buffer[] = [];
  #chunk: Buffer = Buffer.allocUnsafeSlow(SNAPSHOT_CHUNK_BYTES);
  #used = 0;
  #crc = 0;
  #rows = 0;

  constructor() {
    const header = Buffer.alloc(MAGIC.length + 8);
    MAGIC.copy(header);
    header.writeUInt32LE(VERSION, MAGIC.length);
    header.writeUInt32LE(TABLES.length, MAGIC.length + 4);
    this.#write(header);
    for (const name of TABLES) {
      this.#write(Buffer.from([name.length]));
      this.#write(Buffer.from(name, 'latin1'));
    }
  }

  row(table: TableName, row: StoredRow): void {
    const header = Buffer.allocUnsafe(ROW_HEADER_BYTES);
    header[0] = TABLES.indexOf(table);
    header.writeUInt32LE(row.key.length, 1);
    header.writeUInt32LE(row.value.length, 5);
    this.#write(header);
    this.#write(row.key);
    this.#write(row.value);
    this.#rows++;
  }

  /** A full chunk, if there is one. */
  take(): Buffer | undefined {
    return this.#full.shift();
  }

  /** Ends the stream; answers the chunks that are left. */
  finish(): Buffer[] {
    const trailer = Buffer.alloc(TRAILER_BYTES);
    trailer[0] = END;
    trailer.writeBigUInt64LE(BigInt(this.#rows), 1);
    this.#write(trailer.subarray(0, TRAILER_BYTES - 4));
    // The CRC is kept per chunk: what is in the open one is not counted yet.
    const open = this.#chunk.subarray(0, this.#used);
    trailer.writeUInt32LE(crc32(open, this.#crc), TRAILER_BYTES - 4);
    this.#write(trailer.subarray(TRAILER_BYTES - 4));
    if (this.#used > 0) this.#full.push(this.#chunk.subarray(0, this.#used));
    return this.#full.splice(0);
  }

  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + SNAPSHOT_CHUNK_BYTES - this.#used);
      this.#chunk.set(part, this.#used);
      this.#used += part.length;
      at += part.length;
      if (this.#used < SNAPSHOT_CHUNK_BYTES) continue;
      this.#crc = crc32(this.#chunk, this.#crc);
      this.#full.push(this.#chunk);
      this.#chunk = Buffer.allocUnsafeSlow(SNAPSHOT_CHUNK_BYTES);
      this.#used = 0;
    }
  }
}

/**
 * Reads a stream of any chunking back. Its rows count only once `finish` has found the whole stream
 * sound.
 */
export class SnapshotReader {
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #crc = 0;
  #rows = 0;
  /** The stream's own table numbers; undefined until the header is read. */
  #tables: TableName[] | undefined;
  #ended = false;
  #last: { table: number; key: Buffer } | undefined;

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#pending.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    this.#pendingBytes += chunk.length;
  }

  /** The next whole row, or undefined until more is pushed. */
  next(): SnapshotRow | undefined {
    this.#tables ??= this.#readHeader();
    if (this.#tables === undefined) return undefined;
    if (this.#ended) {
      if (this.#pendingBytes > 0) throw invalid('bytes after its end');
      return undefined;
    }
    const tag = this.#peek(1);
    if (tag === undefined) return undefined;
    if (tag[0] === END) {
      this.#readTrailer();
      return undefined;
    }
    return this.#readRow(this.#tables);
  }

  finish(): void {
    if (!this.#ended) throw invalid('it ends too early');
  }

  #readRow(tables: TableName[]): SnapshotRow | undefined {
    const header = this.#peek(ROW_HEADER_BYTES);
    if (header === undefined) return undefined;
    const table = header[0] as number;
    const name = tables[table];
    const keyBytes = header.readUInt32LE(1);
    const valueBytes = header.readUInt32LE(5);
    if (name === undefined || keyBytes + valueBytes > MAX_ROW_BYTES) throw invalid('a corrupt row');
    const whole = this.#take(ROW_HEADER_BYTES + keyBytes + valueBytes);
    if (whole === undefined) return undefined;
    // Copies, so that a small row does not keep a large chunk alive.
    const key = Buffer.from(whole.subarray(ROW_HEADER_BYTES, ROW_HEADER_BYTES + keyBytes));
    const value = Buffer.from(whole.subarray(ROW_HEADER_BYTES + keyBytes));
    const last = this.#last;
    if (last !== undefined && !isAfter(last, table, key)) throw invalid('rows out of order');
    this.#last = { table, key };
    this.#rows++;
    return { table: name, key, value };
  }

  #readHeader(): TableName[] | undefined {
    const fixed = this.#peek(MAGIC.length + 8);
    if (fixed === undefined) return undefined;
    if (!fixed.subarray(0, MAGIC.length).equals(MAGIC)) throw invalid('not a state snapshot');
    const version = fixed.readUInt32LE(MAGIC.length);
    if (version !== VERSION) throw invalid(`its version is ${version}, this node reads ${VERSION}`);
    const count = fixed.readUInt32LE(MAGIC.length + 4);
    if (count >= END) throw invalid('a corrupt header');
    let length = fixed.length;
    const names: TableName[] = [];
    for (let i = 0; i < count; i++) {
      const nameBytes = this.#peek(length + 1)?.[length];
      const upToName = nameBytes === undefined ? undefined : this.#peek(length + 1 + nameBytes);
      if (upToName === undefined) return undefined;
      const name = upToName.toString('latin1', length + 1);
      const known = TABLES.find((table) => table === name);
      if (known === undefined || names.includes(known)) throw invalid(`its table "${name}"`);
      names.push(known);
      length = upToName.length;
    }
    this.#take(length);
    return names;
  }

  #readTrailer(): void {
    if (this.#pendingBytes < TRAILER_BYTES) return;
    const trailer = this.#take(TRAILER_BYTES - 4) as Buffer;
    const expected = this.#crc;
    const crc = (this.#take(4) as Buffer).readUInt32LE(0);
    if (crc !== expected) throw invalid('its CRC does not match');
    if (Number(trailer.readBigUInt64LE(1)) !== this.#rows) throw invalid('rows missing');
    this.#ended = true;
    if (this.#pendingBytes > 0) throw invalid('bytes after its end');
  }

  #peek(bytes: number): Buffer | undefined {
    if (this.#pendingBytes < bytes) return undefined;
    const first = this.#pending[0] as Buffer | undefined;
    if (first !== undefined && first.length >= bytes) return first.subarray(0, bytes);
    const joined = Buffer.concat(this.#pending);
    this.#pending = [joined];
    return joined.subarray(0, bytes);
  }

  #take(bytes: number): Buffer | undefined {
    const taken = this.#peek(bytes);
    if (taken === undefined) return undefined;
    const first = this.#pending[0] as Buffer;
    if (first.length === bytes) this.#pending.shift();
    else this.#pending[0] = first.subarray(bytes);
    this.#pendingBytes -= bytes;
    this.#crc = crc32(taken, this.#crc);
    return taken;
  }
}

function isAfter(last: { table: number; key: Buffer }, table: number, key: Buffer): boolean {
  return table > last.table || (table === last.table && compareKeys(key, last.key) > 0);
}

function invalid(what: string) {
  return storageError('SnapshotInvalid', `the state snapshot is refused: ${what}`, {
    hint: 'The state is as it was. Send or export the snapshot again.',
  });
}
