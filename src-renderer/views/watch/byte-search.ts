import { utf8Encode } from '../../lib/bytes.ts';

/**
 * Finds a text in bytes without making text of them: thousands of events a second pass by. Letters
 * of ASCII match in either case, everything else as it is.
 */
export class ByteSearch {
  readonly #lower: Uint8Array;
  readonly #upper: Uint8Array;

  constructor(text: string) {
    this.#lower = utf8Encode(text).map(lower);
    this.#upper = this.#lower.map((byte) => (byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte));
  }

  get isEmpty(): boolean {
    return this.#lower.length === 0;
  }

  isIn(bytes: Uint8Array): boolean {
    const last = bytes.length - this.#lower.length;
    const [first, other] = [this.#lower[0], this.#upper[0]];
    if (first === undefined) return true;
    for (let at = 0; at <= last; at++) {
      const byte = bytes[at];
      if ((byte === first || byte === other) && this.#matchesAt(bytes, at)) return true;
    }
    return false;
  }

  #matchesAt(bytes: Uint8Array, at: number): boolean {
    for (let i = 1; i < this.#lower.length; i++) {
      const byte = bytes[at + i];
      if (byte !== this.#lower[i] && byte !== this.#upper[i]) return false;
    }
    return true;
  }
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
