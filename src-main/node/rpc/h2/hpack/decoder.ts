import { ConnectionError, ErrorCode } from '../frames.ts';
import { DynamicTable } from './dynamic-table.ts';
import { huffmanDecode } from './huffman.ts';
import { fieldBytes, type HeaderField } from './static-table.ts';

/** Integers larger than this have no use here (RFC 7541, 5.1 wants a limit). */
const MAX_INTEGER = 2 ** 28;
/** A longer block is not kept: one that comes again and again consists of a few indexes. */
const MAX_KEPT_BLOCK_BYTES = 256;

export interface DecodedHeaders {
  readonly fields: readonly HeaderField[];
  /** The list was longer than allowed; `fields` holds its beginning. */
  readonly truncated: boolean;
}

/** Decodes the header blocks of one connection, in their order (RFC 7541). */
export class HpackDecoder {
  readonly #table: DynamicTable;
  /** What we announced as SETTINGS_HEADER_TABLE_SIZE. */
  readonly #maxTableBytes: number;
  readonly #maxListBytes: number;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  /** Counts what changed the table: until it changes a block means the same again. */
  #generation = 0;
  #last: { block: Buffer; generation: number; headers: DecodedHeaders } | undefined;

  constructor(maxTableBytes: number, maxListBytes: number) {
    this.#table = new DynamicTable(maxTableBytes);
    this.#maxTableBytes = maxTableBytes;
    this.#maxListBytes = maxListBytes;
  }

  /**
   * Throws ConnectionError(COMPRESSION_ERROR): after a bad block the tables of the two sides differ
   * for good. A list over the limit is decoded to its end for the table's sake, but not collected.
   * Of two blocks in a row that are the same the second answers the very object of the first.
   */
  decode(bytes: Buffer, start: number, end: number): DecodedHeaders {
    const last = this.#last;
    if (
      last?.generation === this.#generation &&
      last.block.length === end - start &&
      last.block.compare(bytes, start, end) === 0
    ) {
      return last.headers;
    }
    const before = this.#generation;
    const headers = this.#decode(bytes, start, end);
    const repeatable = before === this.#generation && end - start <= MAX_KEPT_BLOCK_BYTES;
    this.#last = repeatable
      ? { block: Buffer.from(bytes.subarray(start, end)), generation: before, headers }
      : undefined;
    return headers;
  }

  #decode(bytes: Buffer, start: number, end: number): DecodedHeaders {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    const fields: HeaderField[] = [];
    let listBytes = 0;
    let resizable = true;
    while (this.#at < this.#end) {
      const first = this.#bytes[this.#at] ?? 0;
      if ((first & 0xe0) === 0x20) {
        // RFC 7541, 4.2: table sizes change before the first field only.
        if (!resizable) throw compressionError('a table size update after a field');
        this.#resize();
        continue;
      }
      resizable = false;
      const field = this.#field(first);
      listBytes += fieldBytes(field);
      if (listBytes <= this.#maxListBytes) fields.push(field);
    }
    this.#bytes = Buffer.alloc(0);
    return { fields, truncated: listBytes > this.#maxListBytes };
  }

  #field(first: number): HeaderField {
    if (first & 0x80) return this.#indexed(this.#integer(7));
    const inserted = (first & 0x40) !== 0;
    const nameIndex = this.#integer(inserted ? 6 : 4);
    const name = nameIndex === 0 ? this.#string() : this.#indexed(nameIndex).name;
    const field = { name, value: this.#string() };
    if (inserted) {
      this.#table.insert(field);
      this.#generation += 1;
    }
    return field;
  }

  #indexed(index: number): HeaderField {
    const field = index === 0 ? undefined : this.#table.at(index);
    if (!field) throw compressionError(`no header field has the index ${index}`);
    return field;
  }

  #resize(): void {
    const maxBytes = this.#integer(5);
    if (maxBytes > this.#maxTableBytes) {
      throw compressionError(`a header table of ${maxBytes} bytes`);
    }
    this.#table.resize(maxBytes);
    this.#generation += 1;
  }

  /** RFC 7541, 5.1. */
  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.#octet() & mask;
    if (value < mask) return value;
    for (let factor = 1; ; factor *= 128) {
      const octet = this.#octet();
      value += (octet & 0x7f) * factor;
      if (value > MAX_INTEGER) throw compressionError('an integer out of range');
      if (octet < 0x80) return value;
      // Zeroes could be appended without end.
      if (factor > MAX_INTEGER) throw compressionError('an integer out of range');
    }
  }

  /** RFC 7541, 5.2. */
  #string(): string {
    const huffman = ((this.#bytes[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw compressionError('a string beyond the end of its block');
    this.#at = end;
    if (!huffman) return this.#bytes.toString('latin1', start, end);
    const text = huffmanDecode(this.#bytes, start, end);
    if (text === undefined) throw compressionError('a malformed Huffman string');
    return text;
  }

  #octet(): number {
    if (this.#at >= this.#end) throw compressionError('a header block that ends too early');
    const octet = this.#bytes[this.#at] ?? 0;
    this.#at += 1;
    return octet;
  }
}

function compressionError(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.COMPRESSION_ERROR, message);
}
