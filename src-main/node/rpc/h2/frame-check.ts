import { ConnectionError, ErrorCode, Flag, FrameType, StreamError } from './frames.ts';

/**
 * Checks what a frame's header alone tells: whether its type belongs on this stream and whether the
 * payload can have this size (RFC 9113, section 6). Throws ConnectionError or StreamError.
 */
export function checkFrame(type: number, flags: number, id: number, payloadBytes: number): void {
  switch (type) {
    case FrameType.DATA:
    case FrameType.CONTINUATION:
      onStream(id);
      break;
    case FrameType.HEADERS:
      if ((id & 1) === 0) throw protocolError('HEADERS on a stream that no client opens');
      break;
    case FrameType.RST_STREAM:
      onStream(id);
      size(payloadBytes === 4, 'RST_STREAM');
      break;
    case FrameType.PRIORITY:
      onStream(id);
      if (payloadBytes === 5) break;
      throw new StreamError(id, ErrorCode.FRAME_SIZE_ERROR, 'PRIORITY of another size');
    case FrameType.SETTINGS:
      onConnection(id);
      size((flags & Flag.ACK) === 0 || payloadBytes === 0, 'SETTINGS with ACK');
      break;
    case FrameType.PING:
      onConnection(id);
      size(payloadBytes === 8, 'PING');
      break;
    case FrameType.GOAWAY:
      onConnection(id);
      size(payloadBytes >= 8, 'GOAWAY');
      break;
    case FrameType.WINDOW_UPDATE:
      size(payloadBytes === 4, 'WINDOW_UPDATE');
      break;
    case FrameType.PUSH_PROMISE:
      throw protocolError('clients do not push');
    default:
      break;
  }
}

export function protocolError(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.PROTOCOL_ERROR, message);
}

function onStream(id: number): void {
  if (id === 0) throw protocolError('a frame of a stream on stream 0');
}

function onConnection(id: number): void {
  if (id !== 0) throw protocolError('a frame of the connection on a stream');
}

function size(right: boolean, what: string): void {
  if (!right) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `${what} of another size`);
}
