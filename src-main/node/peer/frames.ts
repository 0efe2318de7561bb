import { CodedError } from '../../base/errors.ts';

/** A frame is a 32-bit big-endian length and that many bytes. */
const HEADER_BYTES = 4;

export function frame(payload: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  out.writeUInt32BE(payload.length, 0);
  out.set(payload, HEADER_BYTES);
  return out;
}

/** Cuts a byte stream back into frames. Holds at most one unfinished frame. */
export class FrameReader {
  readonly #maxFrameBytes: number;
  #chunks: Buffer[] = [];
  /** Bytes in #chunks: always less than the frame that is being waited for. */
  #bufferedBytes = 0;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** The frames that `chunk` completes. Throws PeerProtocol on a frame over the limit. */
  push(chunk: Buffer): Buffer[] {
    this.#add(chunk);
    const frames: Buffer[] = [];
    for (let next = this.#next(); next !== undefined; next = this.#next()) frames.push(next);
    return frames;
  }

  /** As `push`, for the first frame alone: what follows may have another limit. */
  pushFirst(chunk: Buffer): Buffer | undefined {
    this.#add(chunk);
    return this.#next();
  }

  #add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
  }

  #next(): Buffer | undefined {
    const size = this.#nextSize();
    if (size === undefined || this.#bufferedBytes < HEADER_BYTES + size) return undefined;
    return this.#take(HEADER_BYTES + size).subarray(HEADER_BYTES);
  }

  #nextSize(): number | undefined {
    if (this.#bufferedBytes < HEADER_BYTES) return undefined;
    let head = this.#chunks[0] as Buffer;
    if (head.length < HEADER_BYTES) {
      head = Buffer.concat(this.#chunks);
      this.#chunks = [head];
    }
    const size = head.readUInt32BE(0);
    if (size > this.#maxFrameBytes) {
      throw new CodedError('PeerProtocol', `peer frame of ${size} bytes is over the limit`);
    }
    return size;
  }

  #take(bytes: number): Buffer {
    const head = this.#chunks[0] as Buffer;
    const whole = head.length >= bytes ? head : Buffer.concat(this.#chunks);
    if (whole !== head) this.#chunks = [whole];
    const rest = whole.subarray(bytes);
    if (rest.length > 0) this.#chunks[0] = rest;
    else this.#chunks.shift();
    this.#bufferedBytes -= bytes;
    return whole.subarray(0, bytes);
  }
}
