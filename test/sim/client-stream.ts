import { iterate } from '../../src-main/node/rpc/iterate.ts';
import type {
  BidiHandler,
  CallContext,
  RequestStream,
  ResponseSink,
} from '../../src-main/node/rpc/service.ts';
import type { SimClient } from './sim-client.ts';
import type { SimMember } from './sim-member.ts';

/** Responses under way to the client above which the sink is full. */
const WINDOW_RESPONSES = 4;
const WAY_MS = 0.2;

export interface ClientStreamEvents {
  received(bytes: Buffer): void;
  /** Once: the member died, the call ended, or the client closed it. */
  closed(): void;
}

/** A bidirectional call on its way to a member, with a client that reads as fast as it likes. */
export class ClientStream {
  /** Milliseconds that the client takes for a response, on average. */
  readMs: number;
  readonly #client: SimClient;
  readonly #member: SimMember;
  readonly #events: ClientStreamEvents;
  readonly #abort = new AbortController();
  readonly #forget: () => void;
  #open = true;
  #underWay = 0;
  #full = false;
  #lastMs = 0;
  #paused = false;
  #backlog: Buffer[] = [];
  #onMessage: ((bytes: Buffer) => void) | undefined;
  #onDrain = () => {};

  constructor(
    client: SimClient,
    member: SimMember,
    invoke: BidiHandler<Buffer, Buffer>,
    readMs: number,
    events: ClientStreamEvents,
  ) {
    this.#client = client;
    this.#member = member;
    this.#events = events;
    this.readMs = readMs;
    const { world, chance } = client;
    this.#forget = member.onDeath(() => world.after(chance.around(1), () => this.close()));
    const source = this.#source();
    const { signal } = this.#abort;
    const requests = { ...source, [Symbol.asyncIterator]: () => iterate(source, signal) };
    const end = () => this.close();
    world.after(
      chance.around(WAY_MS),
      () => invoke(requests, this.#sink(), contextOf(signal)).then(end, end),
      member.process,
    );
  }

  send(bytes: Buffer): void {
    if (!this.#open) return;
    const { world, chance } = this.#client;
    const arrive = () => {
      this.#backlog.push(bytes);
      this.#flush();
    };
    world.after(chance.around(WAY_MS), arrive, this.#member.process);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#forget();
    this.#client.world.after(0.1, () => this.#abort.abort(), this.#member.process);
    this.#events.closed();
  }

  #source(): Pick<RequestStream<Buffer>, 'onMessage' | 'onEnd' | 'pause' | 'resume'> {
    return {
      onMessage: (listener) => {
        this.#onMessage = listener;
        this.#flush();
      },
      onEnd: () => {},
      pause: () => {
        this.#paused = true;
      },
      resume: () => {
        this.#paused = false;
        this.#flush();
      },
    };
  }

  #sink(): ResponseSink<Buffer> {
    const { process } = this.#member;
    return {
      write: (bytes) => {
        if (!this.#open || !process.alive) return true;
        this.#transmit(bytes);
        if (this.#underWay >= WINDOW_RESPONSES) this.#full = true;
        return !this.#full;
      },
      onDrain: (listener) => {
        this.#onDrain = listener;
      },
    };
  }

  /** In order, and also after the member's death: what is on the way arrives. */
  #transmit(bytes: Buffer): void {
    const { world, chance } = this.#client;
    this.#underWay++;
    this.#lastMs = Math.max(this.#lastMs, world.nowMs) + chance.around(this.readMs);
    world.after(this.#lastMs - world.nowMs, () => {
      this.#underWay--;
      if (this.#open) this.#events.received(bytes);
      if (!this.#full || this.#underWay > 0) return;
      this.#full = false;
      world.after(0, () => this.#onDrain(), this.#member.process);
    });
  }

  #flush(): void {
    while (this.#open && !this.#paused && this.#onMessage !== undefined) {
      const bytes = this.#backlog.shift();
      if (bytes === undefined) return;
      this.#onMessage(bytes);
    }
  }
}

export function contextOf(signal: AbortSignal): CallContext {
  return {
    signal,
    get aborted() {
      return signal.aborted;
    },
    deadline: undefined,
    peer: 'client',
    metadata: { get: () => undefined },
  };
}
