import { join } from 'node:path';
import type { NodeDefinition } from './definition.ts';

/** Where a node keeps what, all below the cluster's folder. */
export interface NodePaths {
  nodeDir: string;
  /** The node's own: write-ahead log and state. */
  dataDir: string;
  pidFile: string;
  stderrFile: string;
  logFile: string;
}

export function nodePaths(clusterDir: string, node: NodeDefinition): NodePaths {
  const nodeDir = join(clusterDir, 'nodes', node.name);
  return {
    nodeDir,
    dataDir: join(clusterDir, node.dataDir),
    pidFile: join(nodeDir, 'node.pid'),
    stderrFile: join(nodeDir, 'stderr.log'),
    logFile: join(clusterDir, 'logs', `${node.name}.log`),
  };
}

export const LOOPBACK = '127.0.0.1';

export function clientUrl(node: NodeDefinition): string {
  return `http://${LOOPBACK}:${node.clientPort}`;
}

export function peerUrl(node: NodeDefinition): string {
  return `http://${LOOPBACK}:${node.peerPort}`;
}
