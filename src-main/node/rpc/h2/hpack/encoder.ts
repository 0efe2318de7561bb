import { DynamicTable } from './dynamic-table.ts';
import { type HeaderField, STATIC_TABLE } from './static-table.ts';

/** A header list that never changes and is sent often: its fields go into the dynamic table. */
export interface ConstantHeaders {
  readonly fields: readonly HeaderField[];
}

interface CachedBlock {
  readonly bytes: Buffer;
  /** The block holds while the table is as it was. */
  readonly generation: number;
}

const STATIC_INDEX_BY_FIELD: ReadonlyMap<string, number> = new Map(
  STATIC_TABLE.map(({ name, value }, i) => [`${name}\0${value}`, i + 1]),
);
const STATIC_INDEX_BY_NAME: ReadonlyMap<string, number> = new Map(
  STATIC_TABLE.map(({ name }, i) => [name, i + 1]),
);

/**
 * Encodes the header blocks of one connection, which must go out in this order (RFC 7541). Strings
 * are sent plain: after a connection's first answers hardly any are sent.
 */
export class HpackEncoder {
  readonly #table: DynamicTable;
  readonly #maxTableBytes: number;
  /** Counts what changed the table. */
  #generation = 0;
  readonly #constants = new Map<ConstantHeaders, CachedBlock>();
  /** Sizes to be told before the next field: the smallest since, and the last (RFC 7541, 4.2). */
  #resized: { least: number; last: number } | undefined;

  constructor(maxTableBytes: number) {
    this.#table = new DynamicTable(maxTableBytes);
    this.#maxTableBytes = maxTableBytes;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE; more than our own limit is not used. */
  setPeerTableBytes(peerBytes: number): void {
    const bytes = Math.min(peerBytes, this.#maxTableBytes);
    if (bytes === this.#table.maxBytes && !this.#resized) return;
    const least = Math.min(bytes, this.#resized?.least ?? bytes);
    this.#resized = { least, last: bytes };
    this.#table.resize(bytes);
    this.#generation += 1;
  }

  /** Each field is sent as it is and stays out of the table. */
  encode(fields: readonly HeaderField[]): Buffer {
    const octets: number[] = [];
    this.#announceSize(octets);
    for (const field of fields) this.#encodeField(octets, field, false);
    return Buffer.from(octets);
  }

  encodeConstant(headers: ConstantHeaders): Buffer {
    const cached = this.#constants.get(headers);
    if (cached?.generation === this.#generation && !this.#resized) return cached.bytes;
    const octets: number[] = [];
    const before = this.#generation;
    this.#announceSize(octets);
    for (const field of headers.fields) this.#encodeField(octets, field, true);
    const bytes = Buffer.from(octets);
    // A block that changed the table or announced its size is good for once.
    if (this.#generation === before) {
      this.#constants.set(headers, { bytes, generation: before });
    }
    return bytes;
  }

  #announceSize(octets: number[]): void {
    if (!this.#resized) return;
    const { least, last } = this.#resized;
    this.#resized = undefined;
    this.#generation += 1;
    if (least < last) pushInteger(octets, 0x20, 5, least);
    pushInteger(octets, 0x20, 5, last);
  }

  #encodeField(octets: number[], field: HeaderField, insert: boolean): void {
    const { name, value } = field;
    const index = STATIC_INDEX_BY_FIELD.get(`${name}\0${value}`) ?? this.#table.indexOf(field);
    if (index > 0) {
      pushInteger(octets, 0x80, 7, index);
      return;
    }
    const nameIndex = STATIC_INDEX_BY_NAME.get(name) ?? 0;
    if (insert) pushInteger(octets, 0x40, 6, nameIndex);
    else pushInteger(octets, 0x00, 4, nameIndex);
    if (nameIndex === 0) pushString(octets, name);
    pushString(octets, value);
    if (!insert) return;
    this.#table.insert(field);
    this.#generation += 1;
  }
}

/** RFC 7541, 5.1. */
function pushInteger(octets: number[], pattern: number, prefixBits: number, value: number): void {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    octets.push(pattern | value);
    return;
  }
  octets.push(pattern | mask);
  let rest = value - mask;
  while (rest >= 128) {
    octets.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  octets.push(rest);
}

function pushString(octets: number[], text: string): void {
  pushInteger(octets, 0x00, 7, text.length);
  for (let i = 0; i < text.length; i++) octets.push(text.charCodeAt(i) & 0xff);
}
