import type { Socket } from 'node:net';
import { DEFAULT_WINDOW_BYTES, SendWindow } from './flow.ts';
import { FrameType } from './frames.ts';
import { HpackEncoder } from './hpack/encoder.ts';
import { HEADER_TABLE_BYTES, MAX_FRAME_BYTES, MAX_SOCKET_QUEUE_BYTES } from './limits.ts';
import { MESSAGE_PREFIX_BYTES } from './message-reader.ts';
import { FrameOutput } from './output.ts';
import type { H2Stream, ResponseHeaders } from './stream.ts';

export interface SenderEvents {
  /** Asks for `flush` to be called at the end of this turn. */
  needsFlush(): void;
  onDataSent(): void;
  /** The whole response of the stream is out. */
  onResponseSent(stream: H2Stream): void;
}

/** The sending half of a connection: one socket write a turn, streams in turns. */
export class Sender {
  readonly output = new FrameOutput();
  readonly window = new SendWindow(DEFAULT_WINDOW_BYTES);
  readonly #encoder = new HpackEncoder(HEADER_TABLE_BYTES);
  readonly #socket: Socket;
  readonly #events: SenderEvents;
  /** Streams with something to send, except those that wait for their own window. */
  #ready: H2Stream[] = [];
  /** Whose DATA went out in this flush. */
  #sent: H2Stream[] = [];

  constructor(socket: Socket, events: SenderEvents) {
    this.#socket = socket;
    this.#events = events;
  }

  setPeerHeaderTableBytes(bytes: number): void {
    this.#encoder.setPeerTableBytes(bytes);
  }

  schedule(stream: H2Stream): void {
    if (stream.scheduled || stream.closed) return;
    stream.scheduled = true;
    this.#ready.push(stream);
    this.#events.needsFlush();
  }

  /** Sends what the windows and the socket's queue allow. */
  flush(): void {
    const more = this.#pump();
    this.output.flushTo(this.#socket);
    // With a full socket its 'drain' brings us back.
    if (more && this.#hasRoom()) this.#events.needsFlush();
    const sent = this.#sent;
    if (sent.length === 0) return;
    this.#sent = [];
    for (const stream of sent) if (!stream.closed) stream.listener?.onSent();
  }

  #hasRoom(): boolean {
    return this.#socket.writableLength + this.output.bytes < MAX_SOCKET_QUEUE_BYTES;
  }

  /** One frame a stream and round. True: it stopped for want of room in the socket's queue. */
  #pump(): boolean {
    for (let progress = true; progress && this.#ready.length > 0; ) {
      progress = false;
      const round = this.#ready;
      this.#ready = [];
      for (const [i, stream] of round.entries()) {
        if (!this.#hasRoom()) {
          this.#ready = round.slice(i).concat(this.#ready);
          return true;
        }
        if (stream.closed) stream.scheduled = false;
        else if (this.#emit(stream)) progress = true;
      }
    }
    return false;
  }

  /** True: something was sent. Puts the stream back into `#ready` if it has more. */
  #emit(stream: H2Stream): boolean {
    let progress = false;
    if (stream.headers) {
      this.#headers(stream, stream.headers, false);
      stream.headers = undefined;
      progress = true;
    }
    if (stream.message) {
      if (this.#message(stream, stream.message)) stream.message = undefined;
      else stream.queueMessage(stream.message);
    }
    if (stream.queuedBytes > 0) {
      if (this.#data(stream)) progress = true;
      if (stream.queuedBytes > 0) {
        // WINDOW_UPDATE schedules a stream whose own window is spent.
        if (stream.sendWindow.availableBytes > 0) this.#ready.push(stream);
        else stream.scheduled = false;
        return progress;
      }
    }
    stream.scheduled = false;
    if (!stream.trailers) return progress;
    this.#headers(stream, stream.trailers, true);
    this.#events.onResponseSent(stream);
    return true;
  }

  #headers(stream: H2Stream, headers: ResponseHeaders, endStream: boolean): void {
    const block =
      'fields' in headers ? this.#encoder.encodeConstant(headers) : this.#encoder.encode(headers);
    this.output.headers(stream.id, block, endStream, MAX_FRAME_BYTES);
  }

  /** A small message as one DATA frame. False: a window or a frame does not hold it. */
  #message(stream: H2Stream, message: Buffer): boolean {
    const bytes = MESSAGE_PREFIX_BYTES + message.length;
    const { sendWindow } = stream;
    if (bytes > MAX_FRAME_BYTES || bytes > sendWindow.availableBytes) return false;
    if (bytes > this.window.availableBytes) return false;
    sendWindow.availableBytes -= bytes;
    this.window.availableBytes -= bytes;
    this.output.frameHeader(bytes, FrameType.DATA, 0, stream.id);
    this.output.messagePrefix(message.length);
    this.output.bytesOf(message, 0, message.length);
    this.#events.onDataSent();
    return true;
  }

  /** One DATA frame. False: a window is spent. */
  #data(stream: H2Stream): boolean {
    const { sendWindow } = stream;
    // Larger frames, where the peer allows them, would only let one stream hold up the others.
    const bytes = Math.min(
      stream.queuedBytes,
      MAX_FRAME_BYTES,
      sendWindow.availableBytes,
      this.window.availableBytes,
    );
    if (bytes <= 0) return false;
    sendWindow.availableBytes -= bytes;
    this.window.availableBytes -= bytes;
    this.output.frameHeader(bytes, FrameType.DATA, 0, stream.id);
    stream.take(bytes, (chunk, start, end) => this.output.bytesOf(chunk, start, end));
    this.#sent.push(stream);
    this.#events.onDataSent();
    return true;
  }
}
