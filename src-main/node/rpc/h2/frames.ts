/** HTTP/2 framing (RFC 9113, sections 4 and 6). */

/** The 24 bytes that a client starts with (RFC 9113, 3.4). */
export const CLIENT_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export const FRAME_HEADER_BYTES = 9;

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const Flag = {
  /** Of SETTINGS and PING. */
  ACK: 0x1,
  END_STREAM: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

export const ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** The peer broke the protocol so that the connection cannot go on: GOAWAY and close. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The peer broke the protocol on one stream: RST_STREAM. */
export class StreamError extends Error {
  override readonly name = 'StreamError';
  readonly code: ErrorCode;
  readonly streamId: number;

  constructor(streamId: number, code: ErrorCode, message: string) {
    super(message);
    this.streamId = streamId;
    this.code = code;
  }
}

/** The payload is `bytes` from `start` up to `end`, valid until the callee returns or kept as a view. */
export type FrameListener = (
  type: number,
  flags: number,
  streamId: number,
  bytes: Buffer,
  start: number,
  end: number,
) => void;

/** Cuts a byte stream into whole frames, behind the client's preface, however the bytes arrive. */
export class FrameReader {
  readonly #listener: FrameListener;
  readonly #maxFrameBytes: number;
  /** Bytes that do not make a whole frame yet: at most one frame. */
  #partial: Buffer[] = [];
  #partialBytes = 0;
  /** How many bytes are needed before it is worth looking again. */
  #neededBytes = CLIENT_PREFACE.length;
  #prefaceSeen: boolean;

  /** `from` is who sends: a server has no preface. */
  constructor(
    listener: FrameListener,
    maxFrameBytes: number,
    from: 'client' | 'server' = 'client',
  ) {
    this.#listener = listener;
    this.#maxFrameBytes = maxFrameBytes;
    this.#prefaceSeen = from === 'server';
    if (from === 'server') this.#neededBytes = FRAME_HEADER_BYTES;
  }

  /** Throws ConnectionError, and whatever the listener throws; then the reader is of no more use. */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#partialBytes > 0) {
      this.#partial.push(chunk);
      this.#partialBytes += chunk.length;
      if (this.#partialBytes < this.#neededBytes) return;
      bytes = Buffer.concat(this.#partial, this.#partialBytes);
      this.#partial = [];
      this.#partialBytes = 0;
    }
    const used = this.#consume(bytes);
    if (used === bytes.length) return;
    this.#partial.push(used === 0 ? bytes : bytes.subarray(used));
    this.#partialBytes = bytes.length - used;
  }

  /** Answers how many bytes made whole frames. */
  #consume(bytes: Buffer): number {
    let at = 0;
    if (!this.#prefaceSeen) {
      const seen = Math.min(bytes.length, CLIENT_PREFACE.length);
      if (CLIENT_PREFACE.compare(bytes, 0, seen, 0, seen) !== 0) {
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'not an HTTP/2 client preface');
      }
      if (seen < CLIENT_PREFACE.length) return 0;
      this.#prefaceSeen = true;
      at = seen;
    }
    for (;;) {
      if (bytes.length - at < FRAME_HEADER_BYTES) {
        this.#neededBytes = FRAME_HEADER_BYTES;
        return at;
      }
      const payloadBytes = bytes.readUIntBE(at, 3);
      if (payloadBytes > this.#maxFrameBytes) {
        throw new ConnectionError(
          ErrorCode.FRAME_SIZE_ERROR,
          `a frame of ${payloadBytes} bytes; at most ${this.#maxFrameBytes} are allowed`,
        );
      }
      const end = at + FRAME_HEADER_BYTES + payloadBytes;
      if (bytes.length < end) {
        this.#neededBytes = end - at;
        return at;
      }
      const streamId = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
      const start = at + FRAME_HEADER_BYTES;
      at = end;
      this.#listener(bytes[start - 6] ?? 0, bytes[start - 5] ?? 0, streamId, bytes, start, end);
    }
  }
}

/** The payload of a DATA or HEADERS frame without its padding; undefined if that is malformed. */
export function unpadded(
  flags: number,
  bytes: Buffer,
  start: number,
  end: number,
): { start: number; end: number } | undefined {
  if ((flags & Flag.PADDED) === 0) return { start, end };
  if (start === end) return undefined;
  const padding = bytes[start] ?? 0;
  return start + 1 + padding > end ? undefined : { start: start + 1, end: end - padding };
}
