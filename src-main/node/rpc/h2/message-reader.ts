import { gunzipSync, inflateSync } from 'node:zlib';
import { RpcError, RpcStatus } from '../status.ts';

/** One octet that tells compression, and the length in four. */
export const MESSAGE_PREFIX_BYTES = 5;
/**
 * The message, if these bytes are exactly one that is not compressed, as nearly every request is.
 * A view.
 */
export function wholeMessage(data: Buffer, maxBytes: number): Buffer | undefined {
  if (data.length < MESSAGE_PREFIX_BYTES || data[0] !== 0) return undefined;
  const length = data.readUInt32BE(1);
  if (length !== data.length - MESSAGE_PREFIX_BYTES || length > maxBytes) return undefined;
  return data.subarray(MESSAGE_PREFIX_BYTES);
}

/** What goes before a message of so many bytes. */
export function messagePrefix(messageBytes: number): Buffer {
  const prefix = Buffer.allocUnsafe(MESSAGE_PREFIX_BYTES);
  prefix[0] = 0;
  prefix.writeUInt32BE(messageBytes, 1);
  return prefix;
}

/** So many small pieces of a message are made one: each costs a hundred bytes beside its own. */
const MERGE_PIECES = 64;
/** A piece above this is never moved before its message is whole. */
const MERGE_BELOW_BYTES = 1024;

/** A message as it came off the wire. One that is compressed is opened when it is taken. */
export type WireMessage = Buffer | CompressedMessage;

export interface CompressedMessage {
  /** The octet before its length; any but 0. */
  flag: number;
  payload: Buffer;
}

/** Cuts what arrives on a stream into gRPC messages. */
export class MessageReader {
  readonly #maxBytes: number;
  /** grpc-encoding of the request. */
  readonly #encoding: string;
  /** Of a message that is not yet whole: at most its prefix and `maxBytes`, and one frame. */
  #partial: Buffer[] = [];
  /** How many small pieces stand at the end of `#partial`; below MERGE_PIECES. */
  #small = 0;
  #partialBytes = 0;
  #neededBytes = MESSAGE_PREFIX_BYTES;

  constructor(maxBytes: number, encoding: string) {
    this.#maxBytes = maxBytes;
    this.#encoding = encoding;
  }

  /** A message has begun and is not yet whole. */
  get midMessage(): boolean {
    return this.#partialBytes > 0;
  }

  /** Throws RpcError, after which the reader is of no more use. Messages are views where possible. */
  push(data: Buffer, onMessage: (message: WireMessage) => void): void {
    let bytes = data;
    if (this.#partialBytes > 0) {
      this.#keep(data);
      if (this.#partialBytes < this.#neededBytes) return;
      bytes = Buffer.concat(this.#partial, this.#partialBytes);
      this.#partial = [];
      this.#small = 0;
      this.#partialBytes = 0;
    }
    let at = 0;
    this.#neededBytes = MESSAGE_PREFIX_BYTES;
    while (bytes.length - at >= MESSAGE_PREFIX_BYTES) {
      const length = bytes.readUInt32BE(at + 1);
      if (length > this.#maxBytes) throw tooLarge(length, this.#maxBytes);
      const end = at + MESSAGE_PREFIX_BYTES + length;
      if (bytes.length < end) {
        this.#neededBytes = end - at;
        break;
      }
      const flag = bytes[at] ?? 0;
      const payload = bytes.subarray(at + MESSAGE_PREFIX_BYTES, end);
      at = end;
      onMessage(flag === 0 ? payload : { flag, payload });
    }
    if (at < bytes.length) this.#keep(bytes.subarray(at));
  }

  #keep(piece: Buffer): void {
    this.#partial.push(piece);
    this.#partialBytes += piece.length;
    this.#small = piece.length < MERGE_BELOW_BYTES ? this.#small + 1 : 0;
    if (this.#small < MERGE_PIECES) return;
    this.#partial.push(Buffer.concat(this.#partial.splice(-MERGE_PIECES)));
    this.#small = 0;
  }

  /**
   * The message itself. A few bytes may stand for a thousand times as many, so of those that wait
   * none is opened. At once, so that they keep their order; the limit bounds the time that it takes.
   * Throws RpcError.
   */
  open(message: WireMessage): Buffer {
    if (Buffer.isBuffer(message)) return message;
    const { flag, payload } = message;
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
