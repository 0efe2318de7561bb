import type { ClusterSummary } from '../../src-main/contract/views.ts';
import type { IconName } from '../components/icons.ts';
import { VIEWS, type ViewName } from '../stores/router.svelte.ts';

export const SECTION_ICONS: Readonly<Record<ViewName, IconName>> = {
  overview: 'overview',
  keys: 'key',
  watch: 'activity',
  leases: 'clock',
  storage: 'database',
  raft: 'server',
  logs: 'log',
  notes: 'book',
};

/** The views that a cluster has: only local nodes log to us. Notes stand apart, at the foot. */
export function sectionsOf(cluster: ClusterSummary | null): ViewName[] {
  if (cluster === null) return ['notes'];
  return VIEWS.filter((view) => view !== 'logs' || cluster.kind === 'local');
}
