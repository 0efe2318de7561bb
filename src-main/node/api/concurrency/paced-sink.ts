import type { ResponseSink } from '../../rpc/service.ts';

/** A sink that can be waited for. */
export class PacedSink<Response> {
  readonly #sink: ResponseSink<Response>;
  readonly #signal: AbortSignal;
  #full = false;
  /** Called when there is room again. */
  onRoom: () => void = () => {};

  constructor(sink: ResponseSink<Response>, signal: AbortSignal) {
    this.#sink = sink;
    this.#signal = signal;
    sink.onDrain(() => {
      this.#full = false;
      this.onRoom();
    });
  }

  get full(): boolean {
    return this.#full;
  }

  write(response: Response): void {
    if (!this.#sink.write(response)) this.#full = true;
  }

  /** Resolves once there is room, or the call is over. */
  room(): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#full || this.#signal.aborted) {
        resolve();
        return;
      }
      this.#signal.addEventListener('abort', () => resolve(), { once: true });
      this.onRoom = resolve;
    });
  }
}
