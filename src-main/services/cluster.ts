import type { Clock } from '../base/clock.ts';
import { type Disposable, DisposableStore } from '../base/disposable.ts';
import type { ClusterKind } from '../contract/views.ts';
import { EtcdConnection } from '../remote/connection.ts';
import { parseEndpoint } from '../remote/endpoint.ts';
import type { ClusterSupervisor } from '../supervisor/cluster-supervisor.ts';
import { clientUrl } from '../supervisor/layout.ts';
import { LeaseInspector } from './leases.ts';
import { LocalMembers, RemoteMembers } from './members.ts';
import { ClusterMonitor } from './overview.ts';
import { RaftInspector } from './raft.ts';
import { StorageInspector } from './storage.ts';

export interface Times {
  clock: Clock;
  wallClockMs: () => number;
}

/** One cluster that the app knows, with all that watches it. */
export class Cluster implements Disposable {
  readonly id: string;
  readonly kind: ClusterKind;
  /** Local clusters only. */
  readonly supervisor: ClusterSupervisor | null;
  readonly etcd: EtcdConnection;
  readonly monitor: ClusterMonitor;
  readonly leases: LeaseInspector;
  readonly storage: StorageInspector;
  readonly raft: RaftInspector;
  readonly #name: () => string;
  readonly #parts = new DisposableStore();

  private constructor(
    identity: {
      id: string;
      name: () => string;
      endpoints: string[];
      supervisor: ClusterSupervisor | null;
    },
    times: Times,
  ) {
    const { id, name, endpoints, supervisor } = identity;
    this.id = id;
    this.kind = supervisor === null ? 'remote' : 'local';
    this.supervisor = supervisor;
    this.#name = name;
    this.etcd = this.#parts.add(new EtcdConnection(endpoints));
    const members =
      supervisor === null ? new RemoteMembers(this.etcd, endpoints) : new LocalMembers(supervisor);
    this.monitor = this.#parts.add(
      new ClusterMonitor({
        id,
        kind: this.kind,
        name,
        endpoints: () => endpoints,
        members,
        ...times,
      }),
    );
    this.leases = this.#parts.add(new LeaseInspector(this.etcd, times.clock, times.wallClockMs));
    this.storage = this.#parts.add(
      new StorageInspector({
        etcd: this.etcd,
        monitor: this.monitor,
        clock: times.clock,
        definedQuotaBytes: () => supervisor?.definition.quotaBytes ?? null,
      }),
    );
    const { monitor } = this;
    this.raft = this.#parts.add(new RaftInspector({ endpoints, monitor, supervisor, ...times }));
    if (supervisor !== null) {
      this.#parts.add(supervisor.onChange(() => this.monitor.poke()));
    }
  }

  static local(supervisor: ClusterSupervisor, times: Times): Cluster {
    const { id, nodes } = supervisor.definition;
    const name = () => supervisor.definition.name;
    return new Cluster({ id, name, endpoints: nodes.map(clientUrl), supervisor }, times);
  }

  static remote(
    profile: { id: string; endpoints: string[] },
    name: () => string,
    times: Times,
  ): Cluster {
    const endpoints = profile.endpoints.map((endpoint) => parseEndpoint(endpoint).url);
    return new Cluster({ id: profile.id, name, endpoints, supervisor: null }, times);
  }

  get name(): string {
    return this.#name();
  }

  /** The member behind an endpoint, as people know it. */
  nodeName(endpoint: string): string {
    const node = this.monitor.overview().nodes.find((n) => n.clientUrl === endpoint);
    return node?.name ?? parseEndpoint(endpoint).address;
  }

  /** Ends all connections: a server that stops gracefully would wait for them. */
  disconnect(): void {
    this.#parts.dispose();
  }

  dispose(): void {
    this.disconnect();
    this.supervisor?.dispose();
  }
}
