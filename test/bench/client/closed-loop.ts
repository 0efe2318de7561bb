import { setTimeout as sleep } from 'node:timers/promises';
import type { ConstantHeaders } from '../../../src-main/node/rpc/h2/hpack/encoder.ts';
import type { ClosedLoop, LoadResult } from '../loads.ts';
import { Histogram } from '../measure/histogram.ts';
import { FastRandom } from '../measure/random.ts';
import { type Address, authority } from './call.ts';
import { type CallListener, ClientConnection, requestHeaders } from './connection.ts';
import {
  aimPut,
  headerRevision,
  isAnswerFor,
  KEY_AT,
  Path,
  putTemplate,
  rangeCounts,
  rangeTemplate,
  spanRequest,
  writeKey,
} from './messages.ts';

/** What the clients of one run share. */
class Tally {
  readonly histogram = new Histogram();
  /** By performance.now(); answers in between are measured. */
  fromMs = Number.POSITIVE_INFINITY;
  untilMs = Number.POSITIVE_INFINITY;
  running = true;
  succeeded = 0;
  errors = 0;
  firstError = '';

  failed(reason: string): void {
    this.errors++;
    if (this.firstError === '') this.firstError = reason;
  }
}

/** One client: asks, checks the answer, asks again. */
abstract class Client implements CallListener {
  readonly finished: Promise<void>;
  protected readonly random: FastRandom;
  protected readonly load: ClosedLoop;
  protected abstract readonly request: Buffer;
  readonly #tally: Tally;
  readonly #connection: ClientConnection;
  readonly #headers: ConstantHeaders;
  #finish: () => void = () => {};
  #startedMs = 0;
  #right = false;

  constructor(
    load: ClosedLoop,
    tally: Tally,
    connection: ClientConnection,
    headers: ConstantHeaders,
    seed: number,
  ) {
    this.load = load;
    this.#tally = tally;
    this.#connection = connection;
    this.#headers = headers;
    this.random = new FastRandom(seed);
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  start(): void {
    this.aim();
    this.#right = false;
    this.#startedMs = performance.now();
    this.#connection.unary(this.#headers, this.request, this);
  }

  onMessage(bytes: Buffer, start: number, end: number): void {
    this.#right = this.isRight(bytes, start, end);
  }

  onEnd(status: number, message: string): void {
    const tally = this.#tally;
    if (status !== 0) tally.failed(`status ${status}: ${message}`);
    else if (!this.#right) tally.failed('a wrong answer');
    else {
      const now = performance.now();
      tally.succeeded++;
      if (now >= tally.fromMs && now < tally.untilMs) tally.histogram.record(now - this.#startedMs);
    }
    if (tally.running && this.#connection.failure === undefined) this.start();
    else this.#finish();
  }

  /** Chooses what to ask next. */
  protected abstract aim(): void;
  protected abstract isRight(bytes: Buffer, start: number, end: number): boolean;
}

class PutClient extends Client {
  protected readonly request: Buffer = putTemplate();

  protected aim(): void {
    aimPut(this.request, this.random.below(this.load.keys));
  }

  protected isRight(bytes: Buffer, start: number, end: number): boolean {
    return headerRevision(bytes, start, end) > 1;
  }
}

class RangeClient extends Client {
  protected readonly request: Buffer = rangeTemplate(this.load.operation === 'rangeSerializable');

  protected aim(): void {
    writeKey(this.request, KEY_AT, this.random.below(this.load.keys));
  }

  protected isRight(bytes: Buffer, start: number, end: number): boolean {
    return isAnswerFor(bytes, start, end, this.request);
  }
}

class SpanClient extends Client {
  protected request: Buffer = Buffer.alloc(0);

  protected aim(): void {
    const { keys, spanKeys } = this.load;
    const from = this.random.below(Math.max(1, keys - spanKeys + 1));
    this.request = spanRequest(from, from + spanKeys);
  }

  protected isRight(bytes: Buffer, start: number, end: number): boolean {
    const { kvs, count } = rangeCounts(bytes, start, end);
    return kvs === this.load.spanKeys && count === kvs;
  }
}

const KINDS = {
  put: { make: PutClient, path: Path.put },
  range: { make: RangeClient, path: Path.range },
  rangeSerializable: { make: RangeClient, path: Path.range },
  span: { make: SpanClient, path: Path.range },
} as const;

/** As many requests under way as there are clients, until the time is over; then waits for the last answers. */
export async function runClosedLoop(load: ClosedLoop): Promise<LoadResult> {
  const { make, path } = KINDS[load.operation];
  const tally = new Tally();
  const addressOf = (i: number) => load.addresses[i % load.addresses.length] as Address;
  const connections = await Promise.all(
    Array.from({ length: load.connections }, (_, i) =>
      ClientConnection.connect(addressOf(i).host, addressOf(i).port),
    ),
  );
  const headers = load.addresses.map((address) => requestHeaders(path, authority(address)));
  const cpu = process.cpuUsage();
  const clients = Array.from({ length: load.clients }, (_, i) => {
    const at = i % load.connections;
    const head = headers[at % headers.length] as ConstantHeaders;
    return new make(load, tally, connections[at] as ClientConnection, head, load.seed * 7919 + i);
  });
  for (const client of clients) client.start();
  await sleep(load.warmupMs);
  tally.fromMs = performance.now();
  await sleep(load.durationMs);
  tally.untilMs = performance.now();
  tally.running = false;
  await Promise.all(clients.map((client) => client.finished));
  for (const connection of connections) connection.close();
  const { user, system } = process.cpuUsage(cpu);
  return {
    operations: tally.histogram.total,
    seconds: (tally.untilMs - tally.fromMs) / 1000,
    buckets: tally.histogram.buckets(),
    succeeded: tally.succeeded,
    errors: tally.errors,
    firstError: tally.firstError,
    cpuSeconds: (user + system) / 1e6,
  };
}
