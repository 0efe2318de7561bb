import { silentLogger } from '../../base/logger.ts';
import { freeBasePort } from '../../base/testing/free-ports.ts';
import type { CallInput, CallName, CallOutput } from '../../contract/calls.ts';
import type { ContractError } from '../../contract/errors.ts';
import type { StreamInput, StreamItem, StreamName } from '../../contract/streams.ts';
import type { ClusterOverview } from '../../contract/views.ts';
import type { ServerFrame } from '../../contract/wire.ts';
import { ETCD, eventually } from '../../remote/testing/etcd.ts';
import { type App, createApp } from '../app.ts';

/** The app with etcd's own binary as the nodes of new local clusters. */
export function openApp(dataDir: string): Promise<App> {
  return createApp({
    dataDir,
    hostKind: 'browser',
    logger: silentLogger,
    engine: { kind: 'binary', path: ETCD },
  });
}

export const bytes = (text: string) => new Uint8Array(Buffer.from(text));
export const text = (value: Uint8Array | undefined | null) => Buffer.from(value ?? []).toString();
export const hasLeader = (overview: ClusterOverview) => overview.leader !== null;

/** A free port's neighbours may be taken. */
const MAX_ATTEMPTS = 5;

/** The renderer's side, in a few lines. */
export class TestClient {
  readonly #app: App;
  readonly #session: ReturnType<App['openSession']>;
  readonly #onFrame = new Map<number, (frame: ServerFrame) => void>();
  #nextId = 1;

  constructor(app: App) {
    this.#app = app;
    this.#session = this.#app.openSession((frame) => this.#onFrame.get(frame.id)?.(frame));
  }

  call<N extends CallName>(name: N, input: CallInput<N>): Promise<CallOutput<N>> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#onFrame.set(id, (frame) => {
        if (frame.t === 'result') resolve(frame.output as CallOutput<N>);
        else if (frame.t === 'error') reject(frame.error);
      });
      this.#session.receive({ t: 'call', id, name, input });
    });
  }

  open<N extends StreamName>(name: N, input: StreamInput<N>) {
    const id = this.#nextId++;
    const items: StreamItem<N>[] = [];
    const ends: (ContractError | undefined)[] = [];
    this.#onFrame.set(id, (frame) => {
      if (frame.t === 'end') ends.push(frame.error);
      if (frame.t !== 'items') return;
      items.push(...(frame.items as StreamItem<N>[]));
      this.#session.receive({ t: 'credit', id, credits: 1 });
    });
    this.#session.receive({ t: 'open', id, name, input, credits: 8 });
    const close = () => this.#session.receive({ t: 'close', id });
    return { items, ends, close };
  }

  overviewWhere(
    clusterId: string,
    holds: (overview: ClusterOverview) => boolean,
    what: string,
  ): Promise<ClusterOverview> {
    const stream = this.open('cluster.overview', { clusterId });
    return eventually(() => stream.items.find(holds), what).finally(stream.close);
  }

  /**
   * A running cluster "dev" of three nodes, on ports that no other test is likely to take
   * meanwhile.
   */
  async createDev(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const basePort = await freeBasePort(6);
      try {
        await this.call('clusters.createLocal', { name: 'dev', nodes: 3, basePort });
        return;
      } catch (error) {
        if (attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }
}
