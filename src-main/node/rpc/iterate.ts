import type { RequestStream } from './service.ts';

/**
 * Iterates a stream that is consumed by listeners, one message at a time: the stream is paused
 * while the consumer works. Ends when the client half-closes or `signal` aborts. (A Node stream's
 * own iterator would destroy the whole call at the end, before its status is sent.)
 */
export async function* iterate<Request>(
  stream: Pick<RequestStream<Request>, 'onMessage' | 'onEnd' | 'pause' | 'resume'>,
  signal: AbortSignal,
): AsyncGenerator<Request> {
  // Holds what the stream had in hand when it was paused; the stream's own limit bounds it.
  const received: Request[] = [];
  let ended = signal.aborted;
  let wake = (): void => {};
  const end = (): void => {
    ended = true;
    wake();
  };
  signal.addEventListener('abort', end, { once: true });
  stream.onEnd(end);
  stream.onMessage((request) => {
    received.push(request);
    stream.pause();
    wake();
  });
  try {
    while (!signal.aborted) {
      const request = received.shift();
      if (request !== undefined) {
        yield request;
      } else if (ended) {
        return;
      } else {
        const arrival = new Promise<void>((resolve) => {
          wake = resolve;
        });
        stream.resume();
        await arrival;
      }
    }
  } finally {
    signal.removeEventListener('abort', end);
  }
}
