import { createServer, type Server } from 'node:net';
import { CodedError } from '../base/errors.ts';
import { systemErrorCode } from './atomic-file.ts';
import type { ClusterDefinition, NodeDefinition } from './definition.ts';
import type { SupervisorErrorCode } from './errors.ts';
import { LOOPBACK } from './layout.ts';
import { describeOwner, findPortOwner } from './port-owner.ts';

/**
 * First port of `raftdeck up`, and of clusters made in the app: apart, so that both run side by
 * side.
 */
export const UP_BASE_PORT = 23_790;
export const APP_BASE_PORT = 24_790;
/** Base ports are tried this far apart, or further for clusters that need more. */
const BLOCK_STEP = 10;
const MAX_BLOCKS_TRIED = 200;
const SECOND_PROBE_AFTER_MS = 30;

/** EADDRINUSE, EACCES and the like; null if the port can be bound on the loopback address now. */
export async function probePort(port: number): Promise<string | null> {
  const server = createServer();
  try {
    await listen(server, port);
    return null;
  } catch (error) {
    return systemErrorCode(error) ?? 'unknown error';
  } finally {
    await close(server);
  }
}

/**
 * A base port whose 2 * nodes ports are all free and none of which is in `avoid` (ports of stopped
 * clusters). Throws NoFreePorts.
 */
export async function findFreeBlock(
  nodes: number,
  from: number,
  avoid: ReadonlySet<number> = new Set(),
): Promise<number> {
  const width = 2 * nodes;
  const step = Math.ceil(width / BLOCK_STEP) * BLOCK_STEP;
  for (let block = 0; block < MAX_BLOCKS_TRIED; block++) {
    const base = from + block * step;
    if (base + width > 65_536) break;
    const ports = Array.from({ length: width }, (_, i) => base + i);
    if (ports.some((port) => avoid.has(port))) continue;
    const problems = await Promise.all(ports.map(probePort));
    if (problems.every((problem) => problem === null)) return base;
  }
  throw new CodedError<SupervisorErrorCode>(
    'NoFreePorts',
    `no ${width} free ports in a row from ${from} on`,
    { hint: 'choose others with --base-port' },
  );
}

/** What held the port may have been another Raftdeck's probe, which is over within a moment. */
async function probeTwice(port: number): Promise<string | null> {
  if ((await probePort(port)) === null) return null;
  await new Promise((resolve) => setTimeout(resolve, SECOND_PROBE_AFTER_MS));
  return probePort(port);
}

/**
 * Throws PortInUse for the first port of these nodes that is taken. The owner is named and left
 * alone.
 */
export async function checkPorts(
  definition: ClusterDefinition,
  nodes: NodeDefinition[] = definition.nodes,
): Promise<void> {
  const wanted = nodes.flatMap((node) => [
    { node, kind: 'client', port: node.clientPort },
    { node, kind: 'peer', port: node.peerPort },
  ]);
  const problems = await Promise.all(wanted.map(({ port }) => probeTwice(port)));
  for (const [i, { node, kind, port }] of wanted.entries()) {
    const problem = problems[i] ?? null;
    if (problem === null) continue;
    const what = `${kind} port ${port} of node ${node.name}`;
    if (problem !== 'EADDRINUSE') {
      throw new CodedError<SupervisorErrorCode>('PortInUse', `cannot use ${what}: ${problem}`);
    }
    const owner = describeOwner(await findPortOwner(port));
    throw new CodedError<SupervisorErrorCode>('PortInUse', `${what} is in use${owner}`, {
      hint: 'stop that process, or use other ports for this cluster',
    });
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: LOOPBACK, exclusive: true }, resolve);
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) resolve();
    else server.close(() => resolve());
  });
}
