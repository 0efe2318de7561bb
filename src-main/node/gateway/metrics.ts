import { readdirSync } from 'node:fs';
import type { Backend } from '../api/backend.ts';
import { ETCD_API_VERSION } from '../api/version.ts';

/** What the gateway counts itself. */
export interface HealthCounters {
  success: number;
  failures: number;
}

export interface NodeMetrics {
  /** Changes of leader that this node has seen since it started. */
  leaderChanges?: number;
  /** Bytes; what --quota-backend-bytes amounts to. */
  quotaBytes?: number;
}

type MetricType = 'gauge' | 'counter';

/** Prometheus text format 0.0.4, under etcd's names so that its dashboards and alerts fit. */
export function renderMetrics(
  backend: Backend,
  health: HealthCounters,
  node: NodeMetrics,
  startTimeMs: number,
): string {
  const text = new MetricsText();
  addServerMetrics(text, backend, node);
  text.add('etcd_server_health_success', 'counter', 'Successful health checks.', health.success);
  text.add('etcd_server_health_failures', 'counter', 'Failed health checks.', health.failures);
  addStateMetrics(text, backend);
  addProcessMetrics(text, startTimeMs);
  return text.toString();
}

function addServerMetrics(text: MetricsText, backend: Backend, node: NodeMetrics): void {
  const status = backend.status();
  const hasLeader = status.leader !== 0n;
  const isLeader = status.leader === backend.memberId;
  text.add('etcd_server_has_leader', 'gauge', 'Whether a leader exists.', Number(hasLeader));
  text.add('etcd_server_is_leader', 'gauge', 'Whether this member leads.', Number(isLeader));
  text.add(
    'etcd_server_is_learner',
    'gauge',
    'Whether this member is a learner.',
    Number(status.isLearner),
  );
  if (node.leaderChanges !== undefined) {
    text.add(
      'etcd_server_leader_changes_seen_total',
      'counter',
      'Leader changes seen.',
      node.leaderChanges,
    );
  }
  text.add(
    'etcd_server_proposals_committed_total',
    'gauge',
    'Index of the last committed entry.',
    status.commitIndex,
  );
  text.add(
    'etcd_server_proposals_applied_total',
    'gauge',
    'Index of the last applied entry.',
    status.appliedIndex,
  );
  if (node.quotaBytes !== undefined) {
    text.add('etcd_server_quota_backend_bytes', 'gauge', 'Backend quota.', node.quotaBytes);
  }
  text.addLabelled('etcd_server_id', 'Member id in hexadecimal.', {
    server_id: backend.memberId.toString(16),
  });
  text.addLabelled('etcd_server_version', 'Version of the API that is served.', {
    server_version: ETCD_API_VERSION,
  });
}

function addStateMetrics(text: MetricsText, backend: Backend): void {
  const { state } = backend;
  const { fileBytes, inUseBytes } = backend.size();
  text.add('etcd_debugging_mvcc_current_revision', 'gauge', 'Current revision.', state.revision);
  text.add(
    'etcd_debugging_mvcc_compact_revision',
    'gauge',
    'Last compacted revision.',
    state.compactRevision,
  );
  text.add('etcd_debugging_mvcc_watcher_total', 'gauge', 'Watchers.', state.hub.watcherCount);
  text.add(
    'etcd_mvcc_db_total_size_in_bytes',
    'gauge',
    'Bytes allocated in the database file.',
    fileBytes,
  );
  text.add(
    'etcd_mvcc_db_total_size_in_use_in_bytes',
    'gauge',
    'Bytes in use in the database file.',
    inUseBytes,
  );
}

function addProcessMetrics(text: MetricsText, startTimeMs: number): void {
  const cpu = process.cpuUsage();
  text.add(
    'process_cpu_seconds_total',
    'counter',
    'User and system CPU time.',
    (cpu.user + cpu.system) / 1e6,
  );
  text.add('process_resident_memory_bytes', 'gauge', 'Resident memory.', process.memoryUsage.rss());
  text.add('process_start_time_seconds', 'gauge', 'Start time since the epoch.', startTimeMs / 1e3);
  const openFds = countOpenFds();
  if (openFds !== undefined) {
    text.add('process_open_fds', 'gauge', 'Open file descriptors.', openFds);
  }
}

/** Only Linux tells it cheaply. */
function countOpenFds(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}

class MetricsText {
  #text = '';

  add(name: string, type: MetricType, help: string, value: number): void {
    this.#head(name, type, help);
    this.#text += `${name} ${value}\n`;
  }

  addLabelled(name: string, help: string, labels: Record<string, string>): void {
    this.#head(name, 'gauge', help);
    const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    this.#text += `${name}{${pairs.join(',')}} 1\n`;
  }

  #head(name: string, type: MetricType, help: string): void {
    this.#text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  }

  toString(): string {
    return this.#text;
  }
}
