import { CodedError } from '../base/errors.ts';
import { prepareDataDir } from './data-dir.ts';
import {
  type ClusterDefinition,
  composeDefinition,
  type Engine,
  readDefinition,
  writeDefinition,
} from './definition.ts';
import type { SupervisorErrorCode } from './errors.ts';
import { InstanceLock } from './instance-lock.ts';
import { DEFAULT_NODES } from './limits.ts';
import { checkPorts, findFreeBlock, UP_BASE_PORT } from './ports.ts';

export interface StandaloneOptions {
  /** Absolute: the cluster lies directly in it. */
  dataDir: string;
  /** Without it: three, or what the folder holds. */
  nodes?: number;
  /** Without it: the first free block for a new cluster, or what the folder holds. */
  basePort?: number;
  engine?: Engine;
}

export interface Standalone {
  definition: ClusterDefinition;
  /** Held until released. */
  lock: InstanceLock;
  /** Made just now, as opposed to found. */
  isNew: boolean;
}

/**
 * The one cluster of a folder of `raftdeck up`: created on the first run, the same one ever after.
 * Throws DataDir*, Definition*, PortInUse, NoFreePorts; DefinitionInvalid also where it differs
 * from what is asked.
 */
export async function openStandalone(options: StandaloneOptions): Promise<Standalone> {
  await prepareDataDir(options.dataDir, 'up');
  const lock = await InstanceLock.acquire(options.dataDir);
  try {
    const stored = await readDefinition(options.dataDir);
    if (stored !== null) {
      checkSame(stored, options);
      return { definition: stored, lock, isNew: false };
    }
    return { definition: await create(options), lock, isNew: true };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function create(options: StandaloneOptions): Promise<ClusterDefinition> {
  const nodes = options.nodes ?? DEFAULT_NODES;
  const compose = (basePort: number) =>
    composeDefinition({
      id: 'up',
      name: 'up',
      nodes,
      basePort,
      ...(options.engine === undefined ? {} : { engine: options.engine }),
    });
  const definition = compose(options.basePort ?? (await findFreeBlock(nodes, UP_BASE_PORT)));
  await checkPorts(definition);
  await writeDefinition(options.dataDir, definition);
  return definition;
}

/** A cluster is not reshaped by a flag: members and ports are part of its data. */
function checkSame(stored: ClusterDefinition, options: StandaloneOptions): void {
  const hint = 'leave the flag out to restart it, or choose another folder with --data-dir';
  const { dataDir, nodes, basePort } = options;
  if (nodes !== undefined && nodes !== stored.nodes.length) {
    throw new CodedError<SupervisorErrorCode>(
      'DefinitionInvalid',
      `${dataDir} holds a cluster of ${countNodes(stored.nodes.length)}, not of ${nodes}`,
      { hint },
    );
  }
  const storedBase = stored.nodes[0]?.clientPort;
  if (basePort !== undefined && basePort !== storedBase) {
    throw new CodedError<SupervisorErrorCode>(
      'DefinitionInvalid',
      `${dataDir} holds a cluster with base port ${storedBase}, not ${basePort}`,
      { hint },
    );
  }
}

function countNodes(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`;
}
