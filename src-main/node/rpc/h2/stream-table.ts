import { protocolError } from './frame-check.ts';
import type { H2Stream } from './stream.ts';

/** The streams in progress of a connection, and which ids were ever in use. */
export class StreamTable {
  readonly #streams = new Map<number, H2Stream>();
  /** Highest stream that was taken on; higher ones are idle. */
  lastId = 0;
  /** GOAWAY is sent: the client may have opened streams beyond `lastId` that are not looked at. */
  closedToNew = false;

  get size(): number {
    return this.#streams.size;
  }

  get(id: number): H2Stream | undefined {
    return this.#streams.get(id);
  }

  values(): Iterable<H2Stream> {
    return this.#streams.values();
  }

  add(stream: H2Stream): void {
    this.#streams.set(stream.id, stream);
  }

  /** The stream is over; what it had queued is dropped. */
  remove(stream: H2Stream): void {
    this.#streams.delete(stream.id);
    stream.discard();
  }

  /** Removes the stream and tells its listener that nobody waits for the answer. */
  abort(stream: H2Stream): void {
    this.remove(stream);
    stream.listener?.onAbort();
  }

  abortAll(): void {
    for (const stream of [...this.#streams.values()]) this.abort(stream);
  }

  /** Frames other than HEADERS may not name a stream that was never opened. */
  requireKnown(id: number): void {
    if (id > this.lastId && !this.closedToNew) throw protocolError('a frame on an idle stream');
  }
}
