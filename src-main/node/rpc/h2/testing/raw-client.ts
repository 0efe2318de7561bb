import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { CLIENT_PREFACE, Flag, FRAME_HEADER_BYTES, FrameType } from '../frames.ts';
import { HpackDecoder } from '../hpack/decoder.ts';
import { HpackEncoder } from '../hpack/encoder.ts';

export interface RawFrame {
  type: number;
  flags: number;
  id: number;
  payload: Buffer;
  /** Of HEADERS. */
  fields: Record<string, string>;
}

export function frameBytes(
  type: number,
  flags: number,
  id: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(id, 5);
  return Buffer.concat([header, payload]);
}

export function settingsPayload(entries: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(entries.length * 6);
  for (const [i, [id, value]] of entries.entries()) {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  }
  return payload;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function grpcMessage(text: string | Buffer, flag = 0): Buffer {
  const body = Buffer.from(text);
  return Buffer.concat([Buffer.of(flag), uint32(body.length), body]);
}

export const GRPC_REQUEST: Record<string, string> = {
  ':method': 'POST',
  ':scheme': 'http',
  ':path': '/test.Echo/Say',
  ':authority': 'localhost',
  'content-type': 'application/grpc',
  te: 'trailers',
};

/** A client that sends exactly the frames it is told, to see what the server makes of them. */
export class RawClient {
  readonly socket: Socket;
  readonly frames: RawFrame[] = [];
  readonly closed: Promise<void>;
  readonly #encoder = new HpackEncoder(4096);
  readonly #decoder = new HpackDecoder(4096, 1_000_000);
  #input: Buffer = Buffer.alloc(0);
  #taken = 0;
  #wake = (): void => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => this.#onBytes(chunk));
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        resolve();
        this.#wake();
      });
    });
  }

  static async connect(
    port: number,
    settings: readonly (readonly [number, number])[] | undefined = [],
  ): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1').setNoDelay(true);
    await once(socket, 'connect');
    const client = new RawClient(socket);
    socket.write(CLIENT_PREFACE);
    client.send(FrameType.SETTINGS, 0, 0, settingsPayload(settings));
    return client;
  }

  send(type: number, flags: number, id: number, payload?: Buffer): void {
    this.socket.write(frameBytes(type, flags, id, payload));
  }

  block(headers: Record<string, string>): Buffer {
    return this.#encoder.encode(Object.entries(headers).map(([name, value]) => ({ name, value })));
  }

  headers(id: number, headers: Record<string, string>, flags: number = Flag.END_HEADERS): void {
    this.send(FrameType.HEADERS, flags, id, this.block(headers));
  }

  /** A whole unary request. */
  request(id: number, text: string, headers: Record<string, string> = {}): void {
    this.headers(id, { ...GRPC_REQUEST, ...headers });
    this.send(FrameType.DATA, Flag.END_STREAM, id, grpcMessage(text));
  }

  /** The next frame that fits, past those already taken; throws if the connection closes first. */
  async next(fits: (frame: RawFrame) => boolean): Promise<RawFrame> {
    for (;;) {
      while (this.#taken < this.frames.length) {
        const frame = this.frames[this.#taken];
        this.#taken += 1;
        if (frame && fits(frame)) return frame;
      }
      if (this.socket.closed) throw new Error('the connection closed');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  ofType(type: number): Promise<RawFrame> {
    return this.next((frame) => frame.type === type);
  }

  /** Messages' bytes and trailers of a response, which must be the next on this stream. */
  async response(id: number) {
    const data: Buffer[] = [];
    for (;;) {
      const frame = await this.next((candidate) => candidate.id === id);
      if (frame.type === FrameType.DATA) data.push(frame.payload);
      if (frame.type === FrameType.RST_STREAM) throw new Error(`reset ${frame.payload[3]}`);
      if (frame.flags & Flag.END_STREAM) {
        return { body: Buffer.concat(data), trailers: frame.fields, dataFrames: data.length };
      }
    }
  }

  #onBytes(chunk: Buffer): void {
    this.#input = Buffer.concat([this.#input, chunk]);
    while (this.#input.length >= FRAME_HEADER_BYTES) {
      const end = FRAME_HEADER_BYTES + this.#input.readUIntBE(0, 3);
      if (this.#input.length < end) break;
      const type = this.#input[3] ?? 0;
      const payload = this.#input.subarray(FRAME_HEADER_BYTES, end);
      const fields: Record<string, string> = {};
      if (type === FrameType.HEADERS) {
        const list = this.#decoder.decode(payload, 0, payload.length).fields;
        for (const { name, value } of list) fields[name] = value;
      }
      this.frames.push({
        type,
        flags: this.#input[4] ?? 0,
        id: this.#input.readUInt32BE(5),
        payload,
        fields,
      });
      this.#input = this.#input.subarray(end);
    }
    this.#wake();
  }
}
