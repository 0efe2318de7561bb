import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { type Disposable, DisposableStore } from '../base/disposable.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { CallParsed } from '../contract/calls.ts';
import type { ClusterSummary } from '../contract/views.ts';
import { parseEndpoint } from '../remote/endpoint.ts';
import {
  ClusterSupervisor,
  type ClusterSupervisorOptions,
} from '../supervisor/cluster-supervisor.ts';
import type { ClusterDefinition, Engine } from '../supervisor/definition.ts';
import type { Launcher } from '../supervisor/launcher.ts';
import { DEFAULT_NODES } from '../supervisor/limits.ts';
import type { ClusterRegistry } from '../supervisor/registry.ts';
import { Cluster, type Times } from './cluster.ts';
import { failure } from './errors.ts';
import { JsonFile } from './json-file.ts';
import { Signal } from './signal.ts';
import { checkSnapshotFile } from './snapshot-file.ts';

const REMOTES_FILE = 'remotes.json';
const RUNNING_FILE = 'running.json';
const MAX_REMOTES = 200;

const remotesSchema = z.object({
  schemaVersion: z.literal(1),
  clusters: z.array(
    z.object({
      id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
      name: z.string().min(1).max(64),
      endpoints: z.array(z.string()).min(1).max(32),
    }),
  ),
});
type Remotes = z.infer<typeof remotesSchema>;
type RemoteProfile = Remotes['clusters'][number];

/** Local clusters that the user wants to run: they are started with the app. */
const runningSchema = z.object({ schemaVersion: z.literal(1), clusterIds: z.array(z.string()) });

export interface ClustersOptions {
  registry: ClusterRegistry;
  logger: Logger;
  launcher?: Launcher;
  /** What new local clusters run; the bundled node if absent. */
  engine?: Engine;
  times: Times;
}

/**
 * All clusters that the app knows: local ones from the registry, remote ones from
 * <dataDir>/remotes.json.
 */
export class ClustersService {
  readonly #options: ClustersOptions;
  readonly #remotesFile: JsonFile<Remotes>;
  readonly #runningFile: JsonFile<z.infer<typeof runningSchema>>;
  readonly #clusters = new Map<string, Cluster>();
  readonly #remotes = new Map<string, RemoteProfile>();
  readonly #wanted = new Set<string>();
  readonly #changes = new Signal<void>();

  private constructor(options: ClustersOptions) {
    this.#options = options;
    const { dataDir } = options.registry;
    const { logger } = options;
    this.#remotesFile = new JsonFile(join(dataDir, REMOTES_FILE), remotesSchema, logger);
    this.#runningFile = new JsonFile(join(dataDir, RUNNING_FILE), runningSchema, logger);
  }

  /** Opens what is there and starts nothing; nodes of a killed app are taken over. */
  static async open(options: ClustersOptions): Promise<ClustersService> {
    const service = new ClustersService(options);
    const { clusters, broken } = await options.registry.list();
    for (const { id, error } of broken) {
      options.logger.error('a local cluster cannot be opened', { id, error });
    }
    for (const definition of clusters) {
      try {
        await service.#openLocal(definition);
      } catch (error) {
        const fields = { id: definition.id, error: errorMessage(error) };
        options.logger.error('a local cluster cannot be opened', fields);
      }
    }
    for (const profile of (await service.#remotesFile.read())?.clusters ?? []) {
      service.#openRemote(profile);
    }
    for (const id of (await service.#runningFile.read())?.clusterIds ?? []) {
      service.#wanted.add(id);
    }
    return service;
  }

  /** Throws NotFound. */
  get(id: string): Cluster {
    const cluster = this.#clusters.get(id);
    if (cluster === undefined) throw failure('NotFound', `there is no cluster ${id}`);
    return cluster;
  }

  /** Throws NotFound, Unsupported for a remote cluster. */
  supervisor(id: string): ClusterSupervisor {
    const { supervisor, name } = this.get(id);
    if (supervisor !== null) return supervisor;
    throw failure('Unsupported', `${name} is a remote cluster: its nodes are not run by this app`);
  }

  list(): ClusterSummary[] {
    return [...this.#clusters.values()].map((cluster) => cluster.monitor.summary());
  }

  /** The whole list, at once and whenever something in it changes. */
  follow(listener: (list: ClusterSummary[]) => void): Disposable {
    const followed = new Map<string, Disposable>();
    let last = '';
    const publish = () => {
      const list = this.list();
      const text = JSON.stringify(list);
      if (text === last) return;
      last = text;
      listener(list);
    };
    const refollow = () => {
      for (const [id, subscription] of followed) {
        if (this.#clusters.has(id)) continue;
        subscription.dispose();
        followed.delete(id);
      }
      for (const [id, cluster] of this.#clusters) {
        if (!followed.has(id)) followed.set(id, cluster.monitor.follow(publish, 'background'));
      }
      publish();
    };
    const parts = new DisposableStore();
    parts.add({
      dispose: () => {
        for (const subscription of followed.values()) subscription.dispose();
      },
    });
    parts.add(this.#changes.on(refollow));
    refollow();
    return parts;
  }

  async createLocal(input: CallParsed<'clusters.createLocal'>): Promise<ClusterSummary> {
    const { registry, engine } = this.#options;
    const { restoreFrom } = input;
    if (restoreFrom !== undefined) await checkSnapshotFile(restoreFrom);
    const definition = await registry.create({
      name: input.name,
      ...(restoreFrom === undefined ? {} : { restoreFrom }),
      nodes: input.nodes,
      ...(input.basePort === undefined ? {} : { basePort: input.basePort }),
      ...(input.quotaBytes === undefined ? {} : { quotaBytes: input.quotaBytes }),
      ...(engine === undefined ? {} : { engine }),
    });
    const cluster = await this.#openLocal(definition);
    this.#changes.emit();
    if (input.start) await this.start(cluster.id);
    return cluster.monitor.summary();
  }

  async addRemote(input: CallParsed<'clusters.addRemote'>): Promise<ClusterSummary> {
    if (this.#remotes.size >= MAX_REMOTES) {
      throw failure('FailedPrecondition', `there are ${MAX_REMOTES} remote clusters already`);
    }
    const endpoints = [...new Set(input.endpoints.map((endpoint) => parseEndpoint(endpoint).url))];
    const profile = { id: `r-${randomBytes(6).toString('hex')}`, name: input.name, endpoints };
    await this.#saveRemotes([...this.#remotes.values(), profile]);
    const cluster = this.#openRemote(profile);
    this.#changes.emit();
    return cluster.monitor.summary();
  }

  async rename(id: string, name: string): Promise<ClusterSummary> {
    const cluster = this.get(id);
    if (cluster.supervisor !== null) {
      const definition = await this.#options.registry.rename(id, name);
      cluster.supervisor.setName(definition.name);
    } else {
      const others = [...this.#remotes.values()].map((p) => (p.id === id ? { ...p, name } : p));
      await this.#saveRemotes(others);
      const profile = this.#remotes.get(id);
      if (profile !== undefined) profile.name = name;
      cluster.monitor.poke();
    }
    this.#changes.emit();
    return cluster.monitor.summary();
  }

  async remove(id: string, deleteData: boolean): Promise<void> {
    const cluster = this.get(id);
    if (cluster.supervisor !== null) {
      await this.stop(id);
      await this.#options.registry.delete(id, { deleteData });
    } else {
      await this.#saveRemotes([...this.#remotes.values()].filter((profile) => profile.id !== id));
      this.#remotes.delete(id);
    }
    this.#clusters.delete(id);
    this.#changes.emit();
    cluster.dispose();
  }

  async start(id: string): Promise<void> {
    const supervisor = this.supervisor(id);
    await this.#want(id, true);
    await supervisor.start();
  }

  async stop(id: string): Promise<void> {
    const supervisor = this.supervisor(id);
    await this.#want(id, false);
    await supervisor.stop();
  }

  /**
   * On the first run a cluster "dev" of three nodes; afterwards what ran when the app was closed.
   */
  async startDefault(): Promise<void> {
    const { registry, engine, logger } = this.#options;
    const { clusters, broken } = await registry.list();
    if (clusters.length + broken.length === 0) {
      const definition =
        engine === undefined
          ? await registry.createDefault()
          : await registry.create({ name: 'dev', nodes: DEFAULT_NODES, engine });
      if (definition !== null) {
        await this.#openLocal(definition);
        this.#wanted.add(definition.id);
        this.#changes.emit();
      }
    }
    const ids = [...this.#wanted].filter((id) => this.#clusters.get(id)?.kind === 'local');
    for (const id of ids) {
      try {
        await this.start(id);
      } catch (error) {
        // One cluster with a taken port must not keep the app from opening.
        logger.error('a cluster did not start', { id, error: errorMessage(error) });
      }
    }
  }

  /** Stops the local nodes and lets go of everything. What ran is started again next time. */
  async close(): Promise<void> {
    const clusters = [...this.#clusters.values()];
    for (const cluster of clusters) cluster.disconnect();
    const stops = clusters.map((cluster) => cluster.supervisor?.stop());
    const results = await Promise.allSettled(stops);
    for (const cluster of clusters) cluster.dispose();
    this.#clusters.clear();
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  async #openLocal(definition: ClusterDefinition): Promise<Cluster> {
    const { registry, launcher, logger, times } = this.#options;
    const options: ClusterSupervisorOptions = {
      definition,
      clusterDir: registry.clusterDir(definition.id),
      orphans: 'adopt',
      logger,
      ...times,
    };
    if (launcher !== undefined) options.launcher = launcher;
    const cluster = Cluster.local(await ClusterSupervisor.open(options), times);
    this.#clusters.set(cluster.id, cluster);
    return cluster;
  }

  #openRemote(profile: RemoteProfile): Cluster {
    this.#remotes.set(profile.id, profile);
    const cluster = Cluster.remote(profile, () => profile.name, this.#options.times);
    this.#clusters.set(cluster.id, cluster);
    return cluster;
  }

  #saveRemotes(clusters: RemoteProfile[]): Promise<void> {
    return this.#remotesFile.write({ schemaVersion: 1, clusters });
  }

  async #want(id: string, isWanted: boolean): Promise<void> {
    if (isWanted) this.#wanted.add(id);
    else this.#wanted.delete(id);
    await this.#runningFile.write({ schemaVersion: 1, clusterIds: [...this.#wanted] });
  }
}
