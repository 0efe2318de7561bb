import type { Socket } from 'node:net';
import { type ErrorCode, Flag, FRAME_HEADER_BYTES, FrameType } from './frames.ts';
import { MESSAGE_PREFIX_BYTES } from './message-reader.ts';

/** Frames are gathered in chunks of this size, so that a turn's frames make one write. */
const CHUNK_BYTES = 16 * 1024;
/** Payload from here on is handed to the socket as it is instead of being copied. */
const COPY_BELOW_BYTES = 8 * 1024;

/** Frames of one connection that wait for the end of the turn. */
export class FrameOutput {
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  /** The part of the chunk that is not yet in `#parts`. */
  #start = 0;
  #end = 0;
  #parts: Buffer[] = [];
  #partsBytes = 0;

  get bytes(): number {
    return this.#partsBytes + this.#end - this.#start;
  }

  frameHeader(payloadBytes: number, type: number, flags: number, streamId: number): void {
    const at = this.#reserve(FRAME_HEADER_BYTES);
    const chunk = this.#chunk;
    chunk[at] = payloadBytes >>> 16;
    chunk[at + 1] = payloadBytes >>> 8;
    chunk[at + 2] = payloadBytes;
    chunk[at + 3] = type;
    chunk[at + 4] = flags;
    chunk.writeUInt32BE(streamId, at + 5);
  }

  uint32(value: number): void {
    const at = this.#reserve(4);
    this.#chunk.writeUInt32BE(value, at);
  }

  uint16(value: number): void {
    const at = this.#reserve(2);
    this.#chunk.writeUInt16BE(value, at);
  }

  /** gRPC's: not compressed, and the length. */
  messagePrefix(messageBytes: number): void {
    const at = this.#reserve(MESSAGE_PREFIX_BYTES);
    this.#chunk[at] = 0;
    this.#chunk.writeUInt32BE(messageBytes, at + 1);
  }

  /** Payload that the caller does not change any more. */
  bytesOf(source: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length < COPY_BELOW_BYTES) {
      const at = this.#reserve(length);
      source.copy(this.#chunk, at, start, end);
      return;
    }
    this.#sealPart();
    this.#parts.push(source.subarray(start, end));
    this.#partsBytes += length;
  }

  /** HEADERS, with CONTINUATION frames where the block is larger than a frame may be. */
  headers(streamId: number, block: Buffer, endStream: boolean, maxFrameBytes: number): void {
    const first = Math.min(block.length, maxFrameBytes);
    const endHeaders = first === block.length ? Flag.END_HEADERS : 0;
    const flags = endHeaders | (endStream ? Flag.END_STREAM : 0);
    this.frameHeader(first, FrameType.HEADERS, flags, streamId);
    this.bytesOf(block, 0, first);
    for (let at = first; at < block.length; ) {
      const end = Math.min(block.length, at + maxFrameBytes);
      const last = end === block.length ? Flag.END_HEADERS : 0;
      this.frameHeader(end - at, FrameType.CONTINUATION, last, streamId);
      this.bytesOf(block, at, end);
      at = end;
    }
  }

  windowUpdate(streamId: number, increment: number): void {
    this.frameHeader(4, FrameType.WINDOW_UPDATE, 0, streamId);
    this.uint32(increment);
  }

  resetStream(streamId: number, code: ErrorCode): void {
    this.frameHeader(4, FrameType.RST_STREAM, 0, streamId);
    this.uint32(code);
  }

  goAway(lastStreamId: number, code: ErrorCode, message: string): void {
    const text = Buffer.from(message);
    this.frameHeader(8 + text.length, FrameType.GOAWAY, 0, 0);
    this.uint32(lastStreamId);
    this.uint32(code);
    this.bytesOf(text, 0, text.length);
  }

  settings(entries: readonly (readonly [id: number, value: number])[]): void {
    this.frameHeader(entries.length * 6, FrameType.SETTINGS, 0, 0);
    for (const [id, value] of entries) {
      this.uint16(id);
      this.uint32(value);
    }
  }

  /** Hands everything to the socket in one write. */
  flushTo(socket: Socket): void {
    if (this.bytes === 0) return;
    this.#sealPart();
    const parts = this.#parts;
    this.#parts = [];
    this.#partsBytes = 0;
    const [only] = parts;
    if (parts.length === 1 && only) {
      socket.write(only);
    } else {
      socket.cork();
      for (const part of parts) socket.write(part);
      socket.uncork();
    }
    // What the kernel has taken whole may be written over.
    if (socket.writableLength === 0) {
      this.#start = 0;
      this.#end = 0;
    }
  }

  #reserve(bytes: number): number {
    if (this.#end + bytes > this.#chunk.length) {
      this.#sealPart();
      this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytes));
      this.#start = 0;
      this.#end = 0;
    }
    const at = this.#end;
    this.#end += bytes;
    return at;
  }

  #sealPart(): void {
    if (this.#end === this.#start) return;
    this.#parts.push(this.#chunk.subarray(this.#start, this.#end));
    this.#partsBytes += this.#end - this.#start;
    this.#start = this.#end;
  }
}
