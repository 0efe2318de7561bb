import { ConnectionError, ErrorCode } from './frames.ts';
import { MAX_CONTINUATION_FRAMES, MAX_HEADER_BLOCK_BYTES } from './limits.ts';

/** A header block whose HEADERS frame has come and whose CONTINUATION frames are awaited. */
export class HeaderBlock {
  readonly streamId: number;
  readonly endStream: boolean;
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  constructor(streamId: number, endStream: boolean) {
    this.streamId = streamId;
    this.endStream = endStream;
  }

  /** Throws ConnectionError: with a part missing the header tables could not be kept in step. */
  append(bytes: Buffer, start: number, end: number): void {
    this.#parts.push(bytes.subarray(start, end));
    this.#bytes += end - start;
    // The first part is that of HEADERS.
    if (this.#bytes > MAX_HEADER_BLOCK_BYTES || this.#parts.length > MAX_CONTINUATION_FRAMES + 1) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'an endless header block');
    }
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts, this.#bytes);
  }
}
