import type { ClusterHealth, ClusterSummary } from '../../src-main/contract/views.ts';

export type Tone = 'ok' | 'warn' | 'danger' | 'plain';

/** What a cluster's flag and the title bar say: only trouble has a colour. */
export function healthTone(health: ClusterHealth): Tone {
  switch (health) {
    case 'healthy':
      return 'ok';
    case 'degraded':
    case 'starting':
      return 'warn';
    case 'noQuorum':
    case 'unreachable':
      return 'danger';
    case 'stopped':
      return 'plain';
  }
}

export function clusterTone(cluster: ClusterSummary): Tone {
  return cluster.alarms.length > 0 ? 'danger' : healthTone(cluster.health);
}

/**
 * Two letters that stand for a cluster in the rail: "dev" is De, "prod-eu" is Pe, "raft lab" is Rl.
 */
export function monogram(name: string): string {
  const words = name.split(/[\s._/-]+/u).filter((word) => word !== '');
  const first = [...(words[0] ?? '?')];
  const second = words[1] === undefined ? first[1] : [...words[1]][0];
  return `${(first[0] ?? '?').toUpperCase()}${(second ?? '').toLowerCase()}`;
}

/** How many nodes may fail before there is no quorum: 3 nodes need 2. */
export function quorumOf(nodes: number): number {
  return Math.floor(nodes / 2) + 1;
}
