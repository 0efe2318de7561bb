import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES } from '../../../src-main/node/rpc/h2/flow.ts';
import {
  CLIENT_PREFACE,
  ErrorCode,
  Flag,
  FrameReader,
  FrameType,
  Setting,
  unpadded,
} from '../../../src-main/node/rpc/h2/frames.ts';
import { HpackDecoder } from '../../../src-main/node/rpc/h2/hpack/decoder.ts';
import { type ConstantHeaders, HpackEncoder } from '../../../src-main/node/rpc/h2/hpack/encoder.ts';
import { MessageReader } from '../../../src-main/node/rpc/h2/message-reader.ts';
import { FrameOutput } from '../../../src-main/node/rpc/h2/output.ts';

/** The least that every peer takes. */
const MAX_FRAME_BYTES = 16_384;
const HEADER_TABLE_BYTES = 4096;
const MAX_HEADER_LIST_BYTES = 64 * 1024;
/** A response of this many bytes is a defect: the largest that is asked for is some megabytes. */
const MAX_MESSAGE_BYTES = 512 * 1024 * 1024;
const GRPC_PREFIX_BYTES = 5;
/** Credit is given back when so much of a window is used up. */
const REFUND_BYTES = 2 ** 29;

/** Who waits for the answers of one call. `bytes` from `start` to `end` are valid during the call. */
export interface CallListener {
  onMessage(bytes: Buffer, start: number, end: number): void;
  /** `status` is gRPC's; -1 if the stream or the connection broke, and then `message` says how. */
  onEnd(status: number, message: string): void;
}

/** One call on its stream. */
export class ClientCall {
  readonly id: number;
  readonly listener: CallListener;
  sendWindowBytes: number;
  receivedBytes = 0;
  /** Only for messages that do not come in one frame. */
  reader: MessageReader | undefined;

  constructor(id: number, listener: CallListener, sendWindowBytes: number) {
    this.id = id;
    this.listener = listener;
    this.sendWindowBytes = sendWindowBytes;
  }
}

interface Waiting {
  readonly call: ClientCall;
  readonly bytes: Buffer;
  at: number;
  readonly endStream: boolean;
}

/** Request headers of a method. One object for each method and address: it is what the encoder caches by. */
export function requestHeaders(path: string, authority: string): ConstantHeaders {
  return {
    fields: [
      { name: ':method', value: 'POST' },
      { name: ':scheme', value: 'http' },
      { name: ':path', value: path },
      { name: ':authority', value: authority },
      { name: 'content-type', value: 'application/grpc' },
      { name: 'user-agent', value: 'raftdeck-bench' },
      { name: 'te', value: 'trailers' },
    ],
  };
}

/**
 * The client's side of one HTTP/2 connection with gRPC on it, made of the codec of the node's server. Everything is
 * called back, nothing is a promise: what one read from the socket brings about leaves in one write.
 */
export class ClientConnection {
  readonly #socket: Socket;
  readonly #output = new FrameOutput();
  readonly #encoder = new HpackEncoder(HEADER_TABLE_BYTES);
  readonly #decoder = new HpackDecoder(HEADER_TABLE_BYTES, MAX_HEADER_LIST_BYTES);
  readonly #reader: FrameReader;
  readonly #calls = new Map<number, ClientCall>();
  #nextId = 1;
  #sendWindowBytes = DEFAULT_WINDOW_BYTES;
  #initialWindowBytes = DEFAULT_WINDOW_BYTES;
  #receivedBytes = 0;
  /** Messages that wait for a window, in order. */
  #waiting: Waiting[] = [];
  /** While a read is handled: it flushes at its end. */
  #reading = false;
  #flushScheduled = false;
  #failure: string | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = new FrameReader(
      (type, flags, id, bytes, start, end) => this.#onFrame(type, flags, id, bytes, start, end),
      MAX_FRAME_BYTES,
      'server',
    );
    socket.setNoDelay(true);
    socket.write(CLIENT_PREFACE);
    this.#output.settings([
      [Setting.ENABLE_PUSH, 0],
      [Setting.INITIAL_WINDOW_SIZE, MAX_WINDOW_BYTES],
    ]);
    this.#output.windowUpdate(0, MAX_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
    this.#output.flushTo(socket);
    socket.on('data', (chunk: Buffer) => this.#onBytes(chunk));
    socket.on('error', (error) => this.#fail(error.message));
    socket.on('close', () => this.#fail('the connection was closed'));
  }

  /** Rejects if nobody listens there. */
  static async connect(host: string, port: number): Promise<ClientConnection> {
    const socket = connect({ host, port });
    await once(socket, 'connect');
    return new ClientConnection(socket);
  }

  get failure(): string | undefined {
    return this.#failure;
  }

  /** A unary call: `framed` is the message with gRPC's prefix; it may be changed after the call. */
  unary(headers: ConstantHeaders, framed: Buffer, listener: CallListener): void {
    const call = this.open(headers, listener);
    if (call !== undefined) this.#send(call, framed, true);
  }

  /** A call whose messages follow by `send`. Undefined if the connection is broken; the listener is told. */
  open(headers: ConstantHeaders, listener: CallListener): ClientCall | undefined {
    if (this.#failure !== undefined) {
      listener.onEnd(-1, this.#failure);
      return undefined;
    }
    const call = new ClientCall(this.#nextId, listener, this.#initialWindowBytes);
    this.#nextId += 2;
    this.#calls.set(call.id, call);
    const block = this.#encoder.encodeConstant(headers);
    this.#output.headers(call.id, block, false, MAX_FRAME_BYTES);
    this.#needsFlush();
    return call;
  }

  send(call: ClientCall, framed: Buffer): void {
    this.#send(call, framed, false);
  }

  /** Ends a call from this side; its listener hears no more. */
  cancel(call: ClientCall): void {
    if (!this.#calls.delete(call.id)) return;
    this.#output.resetStream(call.id, ErrorCode.CANCEL);
    this.#needsFlush();
  }

  close(): void {
    this.#calls.clear();
    this.#failure ??= 'closed';
    this.#socket.destroy();
  }

  #send(call: ClientCall, framed: Buffer, endStream: boolean): void {
    const fits =
      framed.length <= MAX_FRAME_BYTES &&
      framed.length <= this.#sendWindowBytes &&
      framed.length <= call.sendWindowBytes;
    if (fits && this.#waiting.length === 0) {
      this.#data(call, framed, 0, framed.length, endStream);
    } else {
      this.#waiting.push({ call, bytes: Buffer.from(framed), at: 0, endStream });
      this.#pump();
    }
    this.#needsFlush();
  }

  #data(call: ClientCall, bytes: Buffer, start: number, end: number, endStream: boolean): void {
    this.#sendWindowBytes -= end - start;
    call.sendWindowBytes -= end - start;
    this.#output.frameHeader(end - start, FrameType.DATA, endStream ? Flag.END_STREAM : 0, call.id);
    this.#output.bytesOf(bytes, start, end);
  }

  /** Sends what waits, as far as the windows allow. */
  #pump(): void {
    const waiting = this.#waiting;
    let kept = 0;
    for (const item of waiting) {
      while (item.at < item.bytes.length && this.#calls.has(item.call.id)) {
        const left = item.bytes.length - item.at;
        const { sendWindowBytes } = item.call;
        const bytes = Math.min(left, MAX_FRAME_BYTES, this.#sendWindowBytes, sendWindowBytes);
        if (bytes <= 0) break;
        const end = item.at + bytes;
        this.#data(item.call, item.bytes, item.at, end, item.endStream && bytes === left);
        item.at = end;
      }
      if (item.at < item.bytes.length && this.#calls.has(item.call.id)) waiting[kept++] = item;
    }
    waiting.length = kept;
  }

  #needsFlush(): void {
    if (this.#reading || this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (!this.#socket.destroyed) this.#output.flushTo(this.#socket);
  }

  #onBytes(chunk: Buffer): void {
    this.#reading = true;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
    this.#reading = false;
    this.#flush();
  }

  #onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number) {
    switch (type) {
      case FrameType.DATA:
        this.#onData(flags, id, bytes, start, end);
        break;
      case FrameType.HEADERS:
        this.#onHeaders(flags, id, bytes, start, end);
        break;
      case FrameType.RST_STREAM:
        this.#end(id, -1, `reset with ${bytes.readUInt32BE(start)}`);
        break;
      case FrameType.SETTINGS:
        if ((flags & Flag.ACK) === 0) this.#onSettings(bytes, start, end);
        break;
      case FrameType.PING:
        if (flags & Flag.ACK) break;
        this.#output.frameHeader(8, FrameType.PING, Flag.ACK, 0);
        this.#output.bytesOf(bytes, start, end);
        break;
      case FrameType.GOAWAY:
        this.#fail(
          `GOAWAY ${bytes.readUInt32BE(start + 4)} ${bytes.toString('utf8', start + 8, end)}`,
        );
        break;
      case FrameType.WINDOW_UPDATE:
        this.#onWindowUpdate(id, bytes.readUInt32BE(start) & 0x7fff_ffff);
        break;
      case FrameType.CONTINUATION:
        throw new Error('response headers over several frames');
      default:
        break;
    }
  }

  #onData(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    this.#receivedBytes += end - start;
    if (this.#receivedBytes > REFUND_BYTES) {
      this.#output.windowUpdate(0, this.#receivedBytes);
      this.#receivedBytes = 0;
    }
    const call = this.#calls.get(id);
    if (call === undefined) return;
    call.receivedBytes += end - start;
    if (call.receivedBytes > REFUND_BYTES) {
      this.#output.windowUpdate(id, call.receivedBytes);
      call.receivedBytes = 0;
    }
    const part = unpadded(flags, bytes, start, end);
    if (part === undefined) throw new Error('DATA with more padding than payload');
    this.#onPayload(call, bytes, part.start, part.end);
    if (flags & Flag.END_STREAM) this.#end(id, -1, 'no trailers');
  }

  #onPayload(call: ClientCall, bytes: Buffer, start: number, end: number): void {
    const whole =
      call.reader === undefined &&
      end - start >= GRPC_PREFIX_BYTES &&
      bytes[start] === 0 &&
      bytes.readUInt32BE(start + 1) === end - start - GRPC_PREFIX_BYTES;
    if (whole) {
      call.listener.onMessage(bytes, start + GRPC_PREFIX_BYTES, end);
      return;
    }
    call.reader ??= new MessageReader(MAX_MESSAGE_BYTES, 'identity');
    const { reader, listener } = call;
    reader.push(bytes.subarray(start, end), (message) => {
      const opened = reader.open(message);
      listener.onMessage(opened, 0, opened.length);
    });
    if (!reader.midMessage) call.reader = undefined;
  }

  #onHeaders(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const part = unpadded(flags, bytes, start, end);
    if (part === undefined) throw new Error('HEADERS with more padding than payload');
    if ((flags & Flag.END_HEADERS) === 0) throw new Error('response headers over several frames');
    const at = part.start + (flags & Flag.PRIORITY ? 5 : 0);
    const { fields } = this.#decoder.decode(bytes, at, part.end);
    if ((flags & Flag.END_STREAM) === 0) return;
    let status = -1;
    let message = 'no grpc-status';
    for (const { name, value } of fields) {
      if (name === 'grpc-status') {
        status = Number(value);
        if (message === 'no grpc-status') message = '';
      } else if (name === 'grpc-message') message = value;
    }
    this.#end(id, status, message);
  }

  #onSettings(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += 6) {
      const value = bytes.readUInt32BE(at + 2);
      const setting = bytes.readUInt16BE(at);
      if (setting === Setting.INITIAL_WINDOW_SIZE) {
        const delta = value - this.#initialWindowBytes;
        this.#initialWindowBytes = value;
        for (const call of this.#calls.values()) call.sendWindowBytes += delta;
      } else if (setting === Setting.HEADER_TABLE_SIZE) this.#encoder.setPeerTableBytes(value);
    }
    this.#output.frameHeader(0, FrameType.SETTINGS, Flag.ACK, 0);
    this.#pump();
  }

  #onWindowUpdate(id: number, increment: number): void {
    if (id === 0) this.#sendWindowBytes += increment;
    else {
      const call = this.#calls.get(id);
      if (call !== undefined) call.sendWindowBytes += increment;
    }
    if (this.#waiting.length > 0) this.#pump();
  }

  #end(id: number, status: number, message: string): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    call.listener.onEnd(status, message);
  }

  #fail(reason: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    this.#socket.destroy();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { listener } of calls) listener.onEnd(-1, reason);
  }
}
