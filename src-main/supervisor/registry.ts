import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, errorMessage } from '../base/errors.ts';
import { systemErrorCode } from './atomic-file.ts';
import { prepareDataDir } from './data-dir.ts';
import {
  type ClusterDefinition,
  checkDefinition,
  composeDefinition,
  DEFINITION_FILE,
  type NewCluster,
  readDefinition,
  writeDefinition,
} from './definition.ts';
import type { SupervisorErrorCode } from './errors.ts';
import { InstanceLock } from './instance-lock.ts';
import { nodePaths } from './layout.ts';
import { DEFAULT_NODES } from './limits.ts';
import { findOrphan } from './pid-file.ts';
import { APP_BASE_PORT, checkPorts, findFreeBlock } from './ports.ts';

const CLUSTERS_FOLDER = 'clusters';
/** What a definition is renamed to when its cluster is forgotten but its data kept. */
const REMOVED_FILE = 'cluster.removed.json';
const MAX_ID_CHARS = 40;
const MAX_CLUSTERS = 200;

export interface BrokenCluster {
  id: string;
  error: string;
}

export interface ClusterList {
  clusters: ClusterDefinition[];
  /** Folders whose definition cannot be read; they are left as they are. */
  broken: BrokenCluster[];
}

/** A new cluster as the app asks for it: the rest is found or defaulted. */
export type CreateCluster = Omit<NewCluster, 'id' | 'basePort'> & {
  /** Its ports must be free now; without it, the first free block is taken. */
  basePort?: number;
};

/** The local clusters of one data folder, which it holds for this process alone. */
export class ClusterRegistry {
  readonly dataDir: string;
  readonly #lock: InstanceLock;

  private constructor(dataDir: string, lock: InstanceLock) {
    this.dataDir = dataDir;
    this.#lock = lock;
  }

  /** Throws DataDirForeign, DataDirUnwritable or DataDirInUse. */
  static async open(dataDir: string): Promise<ClusterRegistry> {
    await prepareDataDir(dataDir, 'app');
    return new ClusterRegistry(dataDir, await InstanceLock.acquire(dataDir));
  }

  /** Gives the data folder back. */
  close(): Promise<void> {
    return this.#lock.release();
  }

  clusterDir(id: string): string {
    return join(this.dataDir, CLUSTERS_FOLDER, id);
  }

  /** Oldest first. */
  async list(): Promise<ClusterList> {
    const clusters: ClusterDefinition[] = [];
    const broken: BrokenCluster[] = [];
    for (const id of (await this.#folders()) ?? []) {
      try {
        const definition = await readDefinition(this.clusterDir(id));
        if (definition === null) continue;
        if (definition.id === id) clusters.push(definition);
        else broken.push({ id, error: `its definition names another id: ${definition.id}` });
      } catch (error) {
        broken.push({ id, error: errorMessage(error) });
      }
    }
    clusters.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
    return { clusters, broken };
  }

  /** Throws ClusterNotFound, DefinitionCorrupt or DefinitionVersion. */
  async get(id: string): Promise<ClusterDefinition> {
    const known = ((await this.#folders()) ?? []).includes(id);
    const definition = known ? await readDefinition(this.clusterDir(id)) : null;
    if (definition !== null) return definition;
    throw new CodedError<SupervisorErrorCode>('ClusterNotFound', `there is no cluster ${id}`);
  }

  /** Throws DefinitionInvalid, PortInUse, NoFreePorts, ClusterExists. */
  async create(options: CreateCluster): Promise<ClusterDefinition> {
    const folders = (await this.#folders()) ?? [];
    if (folders.length >= MAX_CLUSTERS) {
      const message = `there are ${folders.length} cluster folders already, the limit`;
      throw new CodedError<SupervisorErrorCode>('DefinitionInvalid', message);
    }
    const { clusters } = await this.list();
    const taken = new Set(
      clusters.flatMap((c) => c.nodes.flatMap((n) => [n.clientPort, n.peerPort])),
    );
    const id = freeId(options.name, new Set(folders));
    // Checks all but the ports, before any is probed.
    composeDefinition({ ...options, id, basePort: APP_BASE_PORT });
    const basePort = options.basePort ?? (await findFreeBlock(options.nodes, APP_BASE_PORT, taken));
    const definition = composeDefinition({ ...options, id, basePort });
    const clash = definition.nodes
      .flatMap((n) => [n.clientPort, n.peerPort])
      .find((p) => taken.has(p));
    if (clash !== undefined) {
      const message = `port ${clash} belongs to another cluster of this data folder`;
      throw new CodedError<SupervisorErrorCode>('PortInUse', message);
    }
    await checkPorts(definition);
    await mkdir(join(this.dataDir, CLUSTERS_FOLDER), { recursive: true, mode: 0o700 });
    await this.#makeFolder(id);
    await writeDefinition(this.clusterDir(id), definition);
    return definition;
  }

  /** On the first run in this data folder: a cluster "dev" of three nodes. Else null. */
  async createDefault(): Promise<ClusterDefinition | null> {
    if ((await this.#folders()) !== null) return null;
    return this.create({ name: 'dev', nodes: DEFAULT_NODES });
  }

  async rename(id: string, name: string): Promise<ClusterDefinition> {
    const definition = checkDefinition({ ...(await this.get(id)), name });
    await writeDefinition(this.clusterDir(id), definition);
    return definition;
  }

  /**
   * Forgets a cluster. Its data goes only if asked; else the folder stays, off the list.
   * Throws ClusterRunning while one of its nodes lives.
   */
  async delete(id: string, options: { deleteData: boolean }): Promise<void> {
    const definition = await this.get(id);
    const dir = this.clusterDir(id);
    for (const node of definition.nodes) {
      const orphan = await findOrphan(nodePaths(dir, node).pidFile);
      if (orphan === null) continue;
      throw new CodedError<SupervisorErrorCode>(
        'ClusterRunning',
        `node ${node.name} of ${definition.name} still runs (pid ${orphan.pid})`,
        { hint: 'stop the cluster first' },
      );
    }
    // Off the list first: a deletion that is cut short leaves no half cluster behind.
    await rename(join(dir, DEFINITION_FILE), join(dir, REMOVED_FILE));
    if (options.deleteData) await rm(dir, { recursive: true, force: true });
  }

  /** null before the first cluster was made. */
  async #folders(): Promise<string[] | null> {
    try {
      const entries = await readdir(join(this.dataDir, CLUSTERS_FOLDER), { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return null;
      throw error;
    }
  }

  async #makeFolder(id: string): Promise<void> {
    try {
      await mkdir(this.clusterDir(id), { mode: 0o700 });
    } catch (error) {
      if (systemErrorCode(error) !== 'EEXIST') throw error;
      const message = `${this.clusterDir(id)} exists already`;
      throw new CodedError<SupervisorErrorCode>('ClusterExists', message, { cause: error });
    }
  }
}

/** A folder name from a display name: "My test" -> "my-test", and a number where that is taken. */
function freeId(name: string, taken: ReadonlySet<string>): string {
  const slug = name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const base = slug.slice(0, MAX_ID_CHARS).replace(/^-+|-+$/g, '') || 'cluster';
  for (let i = 1; ; i++) {
    const id = i === 1 ? base : `${base}-${i}`;
    if (!taken.has(id)) return id;
  }
}
