import type { FanOut, LoadResult } from '../loads.ts';
import { Histogram } from '../measure/histogram.ts';
import { authority, callOn } from './call.ts';
import { type CallListener, ClientConnection, requestHeaders } from './connection.ts';
import {
  aimPut,
  headerRevision,
  Path,
  putTemplate,
  readWatchAnswer,
  watchRequest,
} from './messages.ts';

const KEY = 0;
/** An event that has not come by then is lost. */
const PATIENCE_MS = 30_000;

/** All watchers of a run: counts what they are told, and whether it is right. */
class Watchers {
  created = 0;
  /** Events of the put at hand; each watcher has to get exactly one. */
  received = 0;
  revision = 0;
  problem = '';
  #wake: () => void = () => {};
  /** By stream and watch id: the revision that it was told last. */
  readonly #last: Map<number, number>[] = [];

  /** The listener of one stream. */
  listener(): CallListener {
    const last = new Map<number, number>();
    this.#last.push(last);
    return {
      onMessage: (bytes, start, end) => this.#onMessage(last, bytes, start, end),
      onEnd: (status, message) => this.#fail(`a watch ended with ${status} ${message}`),
    };
  }

  /** Until `done` answers true. Throws on a wrong answer, and after PATIENCE_MS. */
  async until(what: string, done: () => boolean): Promise<void> {
    const timer = setTimeout(
      () => this.#fail(`${what}: not within ${PATIENCE_MS} ms, ${this.received} events came`),
      PATIENCE_MS,
    );
    while (!done() && this.problem === '') {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(timer);
    if (this.problem !== '') throw new Error(this.problem);
  }

  #onMessage(last: Map<number, number>, bytes: Buffer, start: number, end: number): void {
    const { watchId, created, canceled, events, lastRevision } = readWatchAnswer(bytes, start, end);
    if (canceled) this.#fail('a watch was cancelled');
    else if (created) {
      this.created++;
      last.set(watchId, 0);
    } else if (events !== 1 || last.get(watchId) === undefined) {
      this.#fail(`watcher ${watchId} got ${events} events for one put`);
    } else if ((last.get(watchId) ?? 0) >= lastRevision) {
      this.#fail(`watcher ${watchId} got revision ${lastRevision} twice or too late`);
    } else {
      last.set(watchId, lastRevision);
      this.received++;
      this.revision = lastRevision;
    }
    this.#wake();
  }

  #fail(problem: string): void {
    if (this.problem === '') this.problem = problem;
    this.#wake();
  }
}

/** One put after the other, each once every watcher has got the one before. */
export async function runFanOut(load: FanOut): Promise<LoadResult> {
  const { address, watchers, connections, streamsPerConnection, durationMs } = load;
  const all = new Watchers();
  const headers = requestHeaders(Path.watch, authority(address));
  const open: ClientConnection[] = [];
  const streams = connections * streamsPerConnection;
  const request = watchRequest(KEY);
  for (let c = 0; c < connections; c++) {
    const connection = await ClientConnection.connect(address.host, address.port);
    open.push(connection);
    for (let s = c * streamsPerConnection; s < (c + 1) * streamsPerConnection; s++) {
      const call = connection.open(headers, all.listener());
      const share =
        Math.floor(((s + 1) * watchers) / streams) - Math.floor((s * watchers) / streams);
      for (let i = 0; call !== undefined && i < share; i++) connection.send(call, request);
    }
  }
  await all.until('watches are created', () => all.created === watchers);
  const putter = await ClientConnection.connect(address.host, address.port);
  open.push(putter);
  const histogram = new Histogram();
  const put = putTemplate();
  aimPut(put, KEY);
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  let puts = 0;
  while (performance.now() - startedMs < durationMs) {
    all.received = 0;
    const putMs = performance.now();
    const answer = await callOn(putter, address, Path.put, put);
    await all.until(`events of put ${puts}`, () => all.received >= watchers);
    if (headerRevision(answer, 0, answer.length) !== all.revision || all.received > watchers) {
      throw new Error('watchers got another revision than the put had');
    }
    histogram.record(performance.now() - putMs);
    puts++;
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  for (const connection of open) connection.close();
  return {
    operations: puts * watchers,
    seconds,
    buckets: histogram.buckets(),
    succeeded: puts * watchers,
    errors: 0,
    firstError: '',
    cpuSeconds: (user + system) / 1e6,
  };
}
