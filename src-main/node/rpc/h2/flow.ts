/** Flow control windows (RFC 9113, 5.2 and 6.9). Sizes in bytes of DATA payload with its padding. */

export const MAX_WINDOW_BYTES = 2 ** 31 - 1;
/** Of both windows, until SETTINGS or WINDOW_UPDATE say otherwise. */
export const DEFAULT_WINDOW_BYTES = 65_535;

/** What we may still send. */
export class SendWindow {
  /** Negative after the peer has lowered SETTINGS_INITIAL_WINDOW_SIZE under what is in flight. */
  availableBytes: number;

  constructor(initialBytes: number) {
    this.availableBytes = initialBytes;
  }

  /** False: the window would exceed the protocol's limit, which is an error of the peer. */
  increase(bytes: number): boolean {
    this.availableBytes += bytes;
    return this.availableBytes <= MAX_WINDOW_BYTES;
  }
}

/** What the peer may still send. Credit is given back in batches of half a window. */
export class ReceiveWindow {
  readonly #sizeBytes: number;
  #availableBytes: number;
  /** Consumed, and not yet given back. */
  #creditBytes = 0;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#availableBytes = sizeBytes;
  }

  /** False: the peer has sent more than it was allowed. */
  receive(bytes: number): boolean {
    this.#availableBytes -= bytes;
    return this.#availableBytes >= 0;
  }

  /** Answers the increment to send in a WINDOW_UPDATE; 0 while it is not worth a frame. */
  release(bytes: number): number {
    this.#creditBytes += bytes;
    if (this.#creditBytes * 2 < this.#sizeBytes) return 0;
    const increment = this.#creditBytes;
    this.#creditBytes = 0;
    this.#availableBytes += increment;
    return increment;
  }
}
