import { gunzipSync, inflateSync } from 'node:zlib';
import { RpcError, RpcStatus } from '../status.ts';

/** One octet that tells compression, and the length in four. */
const PREFIX_BYTES = 5;
/** Up to here prefix and message are copied into one buffer. */
const COPY_BELOW_BYTES = 1024;

/** Calls back with the buffers that make the framed message. */
export function frameMessage(message: Buffer, write: (bytes: Buffer) => void): void {
  const small = message.length < COPY_BELOW_BYTES;
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + (small ? message.length : 0));
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  if (small) message.copy(frame, PREFIX_BYTES);
  write(frame);
  if (!small) write(message);
}

/** Cuts what arrives on a stream into gRPC messages. */
export class MessageReader {
  readonly #maxBytes: number;
  /** grpc-encoding of the request. */
  readonly #encoding: string;
  /** Of a message that is not yet whole: at most its prefix and `maxBytes`, and one frame. */
  #partial: Buffer[] = [];
  #partialBytes = 0;
  #neededBytes = PREFIX_BYTES;

  constructor(maxBytes: number, encoding: string) {
    this.#maxBytes = maxBytes;
    this.#encoding = encoding;
  }

  /** A message has begun and is not yet whole. */
  get midMessage(): boolean {
    return this.#partialBytes > 0;
  }

  /** Throws RpcError, after which the reader is of no more use. Messages are views where possible. */
  push(data: Buffer, onMessage: (message: Buffer) => void): void {
    let bytes = data;
    if (this.#partialBytes > 0) {
      this.#partial.push(data);
      this.#partialBytes += data.length;
      if (this.#partialBytes < this.#neededBytes) return;
      bytes = Buffer.concat(this.#partial, this.#partialBytes);
      this.#partial = [];
      this.#partialBytes = 0;
    }
    let at = 0;
    this.#neededBytes = PREFIX_BYTES;
    while (bytes.length - at >= PREFIX_BYTES) {
      const length = bytes.readUInt32BE(at + 1);
      if (length > this.#maxBytes) throw tooLarge(length, this.#maxBytes);
      const end = at + PREFIX_BYTES + length;
      if (bytes.length < end) {
        this.#neededBytes = end - at;
        break;
      }
      const flag = bytes[at] ?? 0;
      const payload = bytes.subarray(at + PREFIX_BYTES, end);
      at = end;
      onMessage(flag === 0 ? payload : this.#decompress(flag, payload));
    }
    if (at === bytes.length) return;
    this.#partial.push(bytes.subarray(at));
    this.#partialBytes = bytes.length - at;
  }

  /** At once, so that messages keep their order; the limit bounds the time that it takes. */
  #decompress(flag: number, payload: Buffer): Buffer {
    if (flag !== 1) throw new RpcError(RpcStatus.INTERNAL, `grpc: malformed message flag ${flag}`);
    if (this.#encoding === 'identity') {
      throw new RpcError(
        RpcStatus.INTERNAL,
        'grpc: compressed flag set with identity or empty encoding',
      );
    }
    const decompress = this.#encoding === 'gzip' ? gunzipSync : inflateSync;
    if (this.#encoding !== 'gzip' && this.#encoding !== 'deflate') {
      throw new RpcError(
        RpcStatus.UNIMPLEMENTED,
        `grpc: Decompressor is not installed for grpc-encoding "${this.#encoding}"`,
      );
    }
    try {
      // Zlib wants a limit of at least 1.
      return decompress(payload, { maxOutputLength: Math.max(1, this.#maxBytes) });
    } catch (error) {
      if (error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
        throw new RpcError(
          RpcStatus.RESOURCE_EXHAUSTED,
          `grpc: received message after decompression larger than max ${this.#maxBytes}`,
        );
      }
      throw new RpcError(RpcStatus.INTERNAL, 'grpc: failed to decompress the received message', {
        cause: error,
      });
    }
  }
}

/** As grpc-go words it. */
function tooLarge(bytes: number, maxBytes: number): RpcError {
  return new RpcError(
    RpcStatus.RESOURCE_EXHAUSTED,
    `grpc: received message larger than max (${bytes} vs. ${maxBytes})`,
  );
}
