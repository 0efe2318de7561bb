/** For tests: a client whose answers and streams the test drives. */
import type { CallName } from '../../src-main/contract/calls.ts';
import type { StreamName } from '../../src-main/contract/streams.ts';
import type { ClusterOverview, ClusterSummary, NodeView } from '../../src-main/contract/views.ts';
import type { ContractCallError, ContractClient, StreamHandlers } from '../api/client.ts';

export interface OpenedStream {
  name: StreamName;
  input: unknown;
  closed: boolean;
  push(item: unknown): void;
  end(error: ContractCallError | null): void;
}

export interface MadeCall {
  name: CallName;
  input: unknown;
  signal: AbortSignal | undefined;
  resolve(output: unknown): void;
  reject(error: unknown): void;
}

export class FakeClient {
  readonly calls: MadeCall[] = [];
  readonly streams: OpenedStream[] = [];

  /** As the type that the code under test wants. */
  get client(): ContractClient {
    return this as unknown as ContractClient;
  }

  call(name: CallName, input: unknown, options: { signal?: AbortSignal } = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.calls.push({ name, input, signal: options.signal, resolve, reject });
    });
  }

  open(name: StreamName, input: unknown, handlers: StreamHandlers<StreamName>) {
    const stream: OpenedStream = {
      name,
      input,
      closed: false,
      push: (item) => {
        if (!stream.closed) void handlers.onItems([item] as never);
      },
      end: (error) => {
        if (stream.closed) return;
        stream.closed = true;
        handlers.onEnd?.(error);
      },
    };
    this.streams.push(stream);
    return {
      close: () => {
        stream.closed = true;
      },
    };
  }

  /** The newest call or stream of a name. */
  lastCall(name: CallName): MadeCall {
    const call = this.calls.findLast((made) => made.name === name);
    if (call === undefined) throw new Error(`no call ${name}`);
    return call;
  }

  lastStream(name: StreamName): OpenedStream {
    const stream = this.streams.findLast((opened) => opened.name === name);
    if (stream === undefined) throw new Error(`no stream ${name}`);
    return stream;
  }
}

export function summary(change: Partial<ClusterSummary> = {}): ClusterSummary {
  return {
    id: 'c1',
    name: 'dev',
    kind: 'local',
    endpoints: ['http://127.0.0.1:2379'],
    nodeCount: 3,
    upCount: 3,
    health: 'healthy',
    alarms: [],
    ...change,
  };
}

export function node(name: string, change: Partial<NodeView> = {}): NodeView {
  return {
    name,
    memberId: null,
    role: 'follower',
    clientUrl: 'http://127.0.0.1:2379',
    peerUrl: null,
    term: 7,
    commitIndex: 100,
    appliedIndex: 100,
    dbSizeBytes: 4_096,
    dbSizeInUseBytes: 4_096,
    version: '3.5.0',
    latencyMs: 1,
    error: null,
    warnings: [],
    process: {
      state: 'running',
      pid: 1,
      startedAtMs: 0,
      restarts: 0,
      nextRestartAtMs: null,
      lastExit: null,
    },
    ...change,
  };
}

/** A node that was stopped, or ended as told. */
export function downNode(
  name: string,
  state: 'stopped' | 'crashed' = 'stopped',
  lastExit: string | null = null,
): NodeView {
  const { process } = node(name);
  return node(name, {
    role: 'down',
    term: null,
    commitIndex: null,
    appliedIndex: null,
    process: process === null ? null : { ...process, state, pid: null, lastExit },
  });
}

export function overview(
  nodes: readonly NodeView[],
  change: Partial<ClusterOverview> = {},
): ClusterOverview {
  return {
    cluster: summary(),
    clusterIdHex: 'abc',
    revision: 48,
    leader: nodes.find((n) => n.role === 'leader')?.name ?? null,
    term: 7,
    leaderSinceMs: 0,
    noLeaderSinceMs: null,
    quorum: Math.floor(nodes.length / 2) + 1,
    nodes: [...nodes],
    events: [],
    atMs: 0,
    ...change,
  };
}
