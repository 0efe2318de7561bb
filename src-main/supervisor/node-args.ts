import type { ClusterDefinition, NodeDefinition } from './definition.ts';
import { clientUrl, type NodePaths, peerUrl } from './layout.ts';

/** The flags of one node; the bundled engine and an etcd binary take the same ones. */
export function nodeArgs(
  cluster: ClusterDefinition,
  node: NodeDefinition,
  paths: NodePaths,
): string[] {
  const args = [
    ['--name', node.name],
    ['--data-dir', paths.dataDir],
    ['--listen-client-urls', clientUrl(node)],
    ['--advertise-client-urls', clientUrl(node)],
    ['--listen-peer-urls', peerUrl(node)],
    ['--initial-advertise-peer-urls', peerUrl(node)],
    ['--initial-cluster', cluster.nodes.map((n) => `${n.name}=${peerUrl(n)}`).join(',')],
    ['--initial-cluster-state', 'new'],
    ['--initial-cluster-token', cluster.token],
    ['--heartbeat-interval', String(cluster.timing.heartbeatMs)],
    ['--election-timeout', String(cluster.timing.electionMs)],
    ['--snapshot-count', String(cluster.snapshotCount)],
    ['--quota-backend-bytes', String(cluster.quotaBytes)],
  ];
  if (cluster.autoCompaction !== null) {
    args.push(
      ['--auto-compaction-mode', cluster.autoCompaction.mode],
      ['--auto-compaction-retention', cluster.autoCompaction.retention],
    );
  }
  // etcd before 3.5 logs JSON lines only with zap; later versions still take the flag.
  if (cluster.engine.kind === 'binary') args.push(['--logger', 'zap']);
  // Its listeners are on 127.0.0.1 alone.
  else args.push(['--experimental-fault-lab']);
  if (cluster.restoreFrom !== undefined && cluster.engine.kind === 'bundled') {
    args.push(['--experimental-restore-from', cluster.restoreFrom]);
  }
  args.push(['--log-outputs', paths.logFile]);
  return args.flat();
}

/**
 * The environment for a node: ours without etcd's flag variables, since etcd refuses to start when
 * a flag and its variable are both set. ETCD_UNSUPPORTED_ARCH stays: it is no flag, and older etcd
 * needs it on arm64.
 */
export function nodeEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    if (name.startsWith('ETCD_') && name !== 'ETCD_UNSUPPORTED_ARCH') continue;
    result[name] = value;
  }
  return result;
}
