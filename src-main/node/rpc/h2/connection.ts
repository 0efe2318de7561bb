import type { Socket } from 'node:net';
import { errorMessage } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import { AbuseGuards } from './abuse.ts';
import { DEFAULT_WINDOW_BYTES, ReceiveWindow } from './flow.ts';
import { checkFrame, protocolError } from './frame-check.ts';
import {
  ConnectionError,
  ErrorCode,
  Flag,
  FrameReader,
  FrameType,
  StreamError,
  unpadded,
} from './frames.ts';
import { HeaderBlock } from './header-block.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import type { HeaderField } from './hpack/static-table.ts';
import * as limits from './limits.ts';
import { PeerSettings, SERVER_SETTINGS } from './peer-settings.ts';
import { Sender } from './sender.ts';
import { H2Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';

export interface ConnectionOptions {
  readonly logger: Logger;
  /** A new request; sets the stream's listener. Throws StreamError for a malformed one. */
  readonly onRequest: (stream: H2Stream, fields: readonly HeaderField[]) => void;
  /** Calls `flush` of the connection at the end of this turn. */
  readonly schedule: (connection: H2Connection) => void;
  readonly onClose: (connection: H2Connection) => void;
  /** Default: PREFACE_TIMEOUT_MS. */
  readonly prefaceTimeoutMs?: number;
}

/** The server's side of one HTTP/2 connection (RFC 9113). Knows nothing of gRPC. */
export class H2Connection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #peer: string;
  readonly #reader: FrameReader;
  readonly #decoder: HpackDecoder;
  readonly #sender: Sender;
  readonly #settings = new PeerSettings();
  readonly #receiveWindow = new ReceiveWindow(limits.CONNECTION_RECEIVE_WINDOW_BYTES);
  readonly #guards = new AbuseGuards();
  readonly #streams = new StreamTable();
  #block: HeaderBlock | undefined;
  #settingsSeen = false;
  /** Nothing is read any more. */
  #ending = false;
  #flushScheduled = false;
  #timer: NodeJS.Timeout;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#peer = `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;
    this.#decoder = new HpackDecoder(limits.HEADER_TABLE_BYTES, limits.MAX_HEADER_LIST_BYTES);
    this.#sender = new Sender(socket, {
      needsFlush: () => this.#needsFlush(),
      onDataSent: () => this.#guards.payloadMoved(),
      onResponseSent: (stream) => this.#onResponseSent(stream),
    });
    this.#reader = new FrameReader(
      (type, flags, id, bytes, start, end) => this.#onFrame(type, flags, id, bytes, start, end),
      limits.MAX_FRAME_BYTES,
    );
    this.#timer = setTimeout(
      () => this.#fail(ErrorCode.SETTINGS_TIMEOUT, 'no preface'),
      options.prefaceTimeoutMs ?? limits.PREFACE_TIMEOUT_MS,
    );
    this.#start();
  }

  #start(): void {
    const { output } = this.#sender;
    output.settings(SERVER_SETTINGS);
    output.windowUpdate(0, limits.CONNECTION_RECEIVE_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
    this.#needsFlush();
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, limits.TCP_KEEPALIVE_DELAY_MS);
    socket.on('drain', () => {
      if (socket.isPaused()) socket.resume();
      this.#needsFlush();
    });
    socket.on('close', () => this.#onClose());
    socket.on('data', (chunk: Buffer) => this.#onBytes(chunk));
    socket.resume();
  }

  /** Sends what the turn has brought together. Called once by whoever was asked to schedule it. */
  flush(): void {
    this.#flushScheduled = false;
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    this.#sender.flush();
    if (this.#socket.writableLength > limits.MAX_UNREAD_ANSWER_BYTES) this.#socket.pause();
    if (this.#streams.closedToNew && this.#streams.size === 0) this.#end(false);
  }

  /** Takes no new streams and closes once those in progress are done. */
  shutdown(): void {
    if (this.#streams.closedToNew) return;
    this.#streams.closedToNew = true;
    this.#sender.output.goAway(this.#streams.lastId, ErrorCode.NO_ERROR, 'the server shuts down');
    this.#needsFlush();
  }

  schedule(stream: H2Stream): void {
    this.#sender.schedule(stream);
  }

  releaseCredit(stream: H2Stream, bytes: number): void {
    const increment = stream.receiveWindow.release(bytes);
    if (increment === 0) return;
    this.#sender.output.windowUpdate(stream.id, increment);
    this.#needsFlush();
  }

  #needsFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#options.schedule(this);
  }

  #onBytes(chunk: Buffer): void {
    if (this.#ending) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (error instanceof ConnectionError) {
        this.#fail(error.code, error.message);
        return;
      }
      this.#options.logger.error('an HTTP/2 connection failed by a defect', {
        peer: this.#peer,
        error: errorMessage(error),
        stack: error instanceof Error ? error.stack : undefined,
      });
      this.#fail(ErrorCode.INTERNAL_ERROR, 'internal error');
    }
  }

  #onFrame(
    type: number,
    flags: number,
    id: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    if (this.#ending) return;
    try {
      this.#dispatch(type, flags, id, bytes, start, end);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.#guards.reset();
      this.#options.logger.debug('a stream was reset', {
        peer: this.#peer,
        stream: error.streamId,
        reason: error.message,
      });
      this.#sender.output.resetStream(error.streamId, error.code);
      this.#needsFlush();
      const stream = this.#streams.get(error.streamId);
      if (stream) this.#streams.abort(stream);
    }
  }

  #dispatch(
    type: number,
    flags: number,
    id: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    checkFrame(type, flags, id, end - start);
    if (this.#block && (type !== FrameType.CONTINUATION || id !== this.#block.streamId)) {
      throw protocolError('a frame in the middle of a header block');
    }
    if (!this.#settingsSeen && (type !== FrameType.SETTINGS || flags & Flag.ACK)) {
      throw protocolError('the first frame is not SETTINGS');
    }
    switch (type) {
      case FrameType.DATA:
        this.#onDataFrame(flags, id, bytes, start, end);
        break;
      case FrameType.HEADERS:
        this.#onHeadersFrame(flags, id, bytes, start, end);
        break;
      case FrameType.CONTINUATION:
        this.#onContinuation(flags, bytes, start, end);
        break;
      case FrameType.RST_STREAM:
        this.#onReset(id);
        break;
      case FrameType.SETTINGS:
        this.#onSettings(flags, bytes, start, end);
        break;
      case FrameType.PING:
        this.#onPing(flags, bytes, start, end);
        break;
      case FrameType.WINDOW_UPDATE:
        this.#onWindowUpdate(id, bytes.readUInt32BE(start) & 0x7fff_ffff);
        break;
      default:
        // PRIORITY has no meaning any more; a client's GOAWAY says that it will close when it has
        // its answers; unknown types are extensions to be ignored (RFC 9113, 4.1).
        this.#guards.control();
    }
  }

  #onDataFrame(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const frameBytes = end - start;
    if (!this.#receiveWindow.receive(frameBytes)) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'the window is exceeded');
    }
    // The streams' windows bound what is held; were this one held back too, half-sent messages
    // could block each other.
    const increment = this.#receiveWindow.release(frameBytes);
    if (increment > 0) {
      this.#sender.output.windowUpdate(0, increment);
      this.#needsFlush();
    }
    const data = unpadded(flags, bytes, start, end);
    if (!data) throw protocolError('DATA with more padding than payload');
    const stream = this.#streams.get(id);
    if (!stream) {
      this.#onLateFrame(id);
      return;
    }
    if (stream.remoteClosed) {
      throw new StreamError(id, ErrorCode.STREAM_CLOSED, 'DATA after END_STREAM');
    }
    if (!stream.receiveWindow.receive(frameBytes)) {
      throw new StreamError(id, ErrorCode.FLOW_CONTROL_ERROR, "the stream's window is exceeded");
    }
    const dataBytes = data.end - data.start;
    const endStream = (flags & Flag.END_STREAM) !== 0;
    if (dataBytes > 0) this.#guards.payloadMoved();
    else if (!endStream) this.#guards.control();
    if (frameBytes > dataBytes) this.releaseCredit(stream, frameBytes - dataBytes);
    if (endStream) stream.remoteClosed = true;
    if (dataBytes > 0) stream.listener?.onData(bytes.subarray(data.start, data.end));
    if (endStream && !stream.closed) stream.listener?.onEnd();
  }

  #onHeadersFrame(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const part = unpadded(flags, bytes, start, end);
    const at = (part?.start ?? 0) + (flags & Flag.PRIORITY ? 5 : 0);
    if (!part || at > part.end) throw protocolError('HEADERS with more padding than payload');
    const endStream = (flags & Flag.END_STREAM) !== 0;
    if (flags & Flag.END_HEADERS) {
      this.#onHeaders(id, endStream, bytes, at, part.end);
      return;
    }
    this.#block = new HeaderBlock(id, endStream);
    this.#block.append(bytes, at, part.end);
  }

  #onContinuation(flags: number, bytes: Buffer, start: number, end: number): void {
    const block = this.#block;
    if (!block) throw protocolError('CONTINUATION without HEADERS');
    block.append(bytes, start, end);
    if ((flags & Flag.END_HEADERS) === 0) return;
    this.#block = undefined;
    const whole = block.bytes();
    this.#onHeaders(block.streamId, block.endStream, whole, 0, whole.length);
  }

  #onHeaders(id: number, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    // Decoded whatever becomes of it, or the next block would be decoded with another table.
    const { fields, truncated } = this.#decoder.decode(bytes, start, end);
    const known = this.#streams.get(id);
    if (known) {
      if (known.remoteClosed) {
        throw new StreamError(id, ErrorCode.STREAM_CLOSED, 'HEADERS after END_STREAM');
      }
      if (!endStream) {
        throw new StreamError(id, ErrorCode.PROTOCOL_ERROR, 'trailers without END_STREAM');
      }
      known.remoteClosed = true;
      known.listener?.onEnd();
      return;
    }
    if (id <= this.#streams.lastId) {
      this.#onLateFrame(id);
      return;
    }
    // The client learns from GOAWAY that streams beyond it were not looked at, and retries.
    if (this.#streams.closedToNew) {
      this.#guards.control();
      return;
    }
    this.#streams.lastId = id;
    if (this.#streams.size >= limits.MAX_CONCURRENT_STREAMS) {
      throw new StreamError(id, ErrorCode.REFUSED_STREAM, 'too many streams');
    }
    if (truncated) {
      throw new StreamError(id, ErrorCode.ENHANCE_YOUR_CALM, 'the header list is too large');
    }
    const stream = new H2Stream(id, this.#peer, this.#settings.initialWindowBytes, this);
    stream.remoteClosed = endStream;
    this.#streams.add(stream);
    this.#options.onRequest(stream, fields);
    if (endStream && !stream.closed) stream.listener?.onEnd();
  }

  #onReset(id: number): void {
    this.#streams.requireKnown(id);
    this.#guards.reset();
    const stream = this.#streams.get(id);
    if (!stream) return;
    this.#streams.abort(stream);
  }

  #onSettings(flags: number, bytes: Buffer, start: number, end: number): void {
    this.#guards.control();
    if (flags & Flag.ACK) return;
    const { windowDelta, headerTableBytes } = this.#settings.apply(bytes, start, end);
    if (headerTableBytes !== undefined) this.#sender.setPeerHeaderTableBytes(headerTableBytes);
    if (windowDelta !== 0) {
      for (const stream of this.#streams.values()) {
        if (!stream.sendWindow.increase(windowDelta)) {
          throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'a window beyond 2^31-1');
        }
        this.#sender.schedule(stream);
      }
    }
    if (!this.#settingsSeen) clearTimeout(this.#timer);
    this.#settingsSeen = true;
    this.#sender.output.frameHeader(0, FrameType.SETTINGS, Flag.ACK, 0);
    this.#needsFlush();
  }

  #onPing(flags: number, bytes: Buffer, start: number, end: number): void {
    this.#guards.control();
    if (flags & Flag.ACK) return;
    this.#sender.output.frameHeader(8, FrameType.PING, Flag.ACK, 0);
    this.#sender.output.bytesOf(bytes, start, end);
    this.#needsFlush();
  }

  #onWindowUpdate(id: number, increment: number): void {
    if (id === 0) {
      if (increment === 0) throw protocolError('WINDOW_UPDATE by nothing');
      if (!this.#sender.window.increase(increment)) {
        throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'a window beyond 2^31-1');
      }
      this.#needsFlush();
      return;
    }
    this.#streams.requireKnown(id);
    const stream = this.#streams.get(id);
    if (!stream) return;
    if (increment === 0) {
      throw new StreamError(id, ErrorCode.PROTOCOL_ERROR, 'WINDOW_UPDATE by nothing');
    }
    if (!stream.sendWindow.increase(increment)) {
      throw new StreamError(id, ErrorCode.FLOW_CONTROL_ERROR, 'a window beyond 2^31-1');
    }
    if (stream.queuedBytes > 0) this.#sender.schedule(stream);
  }

  /** A frame of a stream that is gone, as happens when a reset or an answer crosses it. */
  #onLateFrame(id: number): void {
    this.#streams.requireKnown(id);
    this.#guards.control();
  }

  #onResponseSent(stream: H2Stream): void {
    this.#streams.remove(stream);
    this.#guards.callFinished();
    // RFC 9113, 8.1: asks a client that still sends to stop, without failing the answer.
    if (!stream.remoteClosed) this.#sender.output.resetStream(stream.id, ErrorCode.NO_ERROR);
  }

  /** Connection error (RFC 9113, 5.4.1). */
  #fail(code: ErrorCode, message: string): void {
    this.#options.logger.debug('an HTTP/2 connection was closed', {
      peer: this.#peer,
      code,
      reason: message,
    });
    this.#streams.closedToNew = true;
    this.#streams.abortAll();
    this.#sender.output.goAway(this.#streams.lastId, code, message);
    this.#sender.flush();
    this.#end(true);
  }

  #end(failed: boolean): void {
    if (this.#ending) return;
    this.#ending = true;
    clearTimeout(this.#timer);
    // The client's own close is waited for: closing with unread input would reset the connection
    // and take the last answers with it.
    const linger = (): void => {
      if (this.#socket.destroyed) return;
      this.#timer = setTimeout(() => this.#socket.destroy(), limits.LINGER_MS);
    };
    if (failed) linger();
    this.#socket.end(failed ? undefined : linger);
  }

  #onClose(): void {
    this.#ending = true;
    clearTimeout(this.#timer);
    this.#streams.abortAll();
    this.#options.onClose(this);
  }
}
