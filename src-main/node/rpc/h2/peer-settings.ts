import { DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES } from './flow.ts';
import { ConnectionError, ErrorCode, Setting } from './frames.ts';
import * as limits from './limits.ts';

/** What we announce. */
export const SERVER_SETTINGS: readonly (readonly [id: number, value: number])[] = [
  [Setting.HEADER_TABLE_SIZE, limits.HEADER_TABLE_BYTES],
  [Setting.MAX_CONCURRENT_STREAMS, limits.MAX_CONCURRENT_STREAMS],
  [Setting.INITIAL_WINDOW_SIZE, limits.STREAM_RECEIVE_WINDOW_BYTES],
  [Setting.MAX_FRAME_SIZE, limits.MAX_FRAME_BYTES],
  [Setting.MAX_HEADER_LIST_SIZE, limits.MAX_HEADER_LIST_BYTES],
];

const SETTING_BYTES = 6;
const LARGEST_FRAME_BYTES = 2 ** 24 - 1;

export interface SettingsChange {
  /** By which the send window of every stream changes (RFC 9113, 6.9.2). */
  windowDelta: number;
  headerTableBytes: number | undefined;
}

/** The client's SETTINGS, as far as they concern us. */
export class PeerSettings {
  /** Send window of a new stream. */
  initialWindowBytes = DEFAULT_WINDOW_BYTES;

  /** Throws ConnectionError. */
  apply(bytes: Buffer, start: number, end: number): SettingsChange {
    if ((end - start) % SETTING_BYTES !== 0) {
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'SETTINGS of another size');
    }
    const before = this.initialWindowBytes;
    let headerTableBytes: number | undefined;
    for (let at = start; at < end; at += SETTING_BYTES) {
      const value = bytes.readUInt32BE(at + 2);
      switch (bytes.readUInt16BE(at)) {
        case Setting.HEADER_TABLE_SIZE:
          // The least must be told to the decoder even if it is raised again at once.
          headerTableBytes = Math.min(value, headerTableBytes ?? value);
          break;
        case Setting.ENABLE_PUSH:
          if (value > 1) throw invalid('ENABLE_PUSH', value);
          break;
        case Setting.INITIAL_WINDOW_SIZE:
          if (value > MAX_WINDOW_BYTES) {
            throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'a window beyond 2^31-1');
          }
          this.initialWindowBytes = value;
          break;
        case Setting.MAX_FRAME_SIZE:
          // Our frames are of the least size that every peer takes.
          if (value < limits.MAX_FRAME_BYTES || value > LARGEST_FRAME_BYTES) {
            throw invalid('MAX_FRAME_SIZE', value);
          }
          break;
        default:
          break;
      }
    }
    return { windowDelta: this.initialWindowBytes - before, headerTableBytes };
  }
}

function invalid(name: string, value: number): ConnectionError {
  return new ConnectionError(ErrorCode.PROTOCOL_ERROR, `${name} cannot be ${value}`);
}
