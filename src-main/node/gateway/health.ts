import { errorMessage } from '../../base/errors.ts';
import { AlarmType } from '../../proto/etcd/rpc.ts';
import type { Backend } from '../api/backend.ts';

export interface Health {
  healthy: boolean;
  /** Empty if healthy; otherwise as etcd words it. */
  reason: string;
}

export interface HealthQuery {
  /** Names of alarms that do not count. */
  excludedAlarms: ReadonlySet<string>;
  /** Only this member: no leader and no quorum are asked for. */
  serializable: boolean;
}

/** A linearizable read that takes longer counts as failed. etcd: 5 s and two election time-outs. */
const HEALTH_READ_TIMEOUT_MS = 7_000;

const ALARM_NAMES = new Map<number, string>(
  Object.entries(AlarmType).map(([name, number]) => [number, name]),
);

/** As etcd's /health: no alarm, a leader, and a read that a quorum confirms. */
export async function checkHealth(backend: Backend, query: HealthQuery): Promise<Health> {
  for (const { alarm } of backend.state.alarms()) {
    const name = ALARM_NAMES.get(alarm) ?? 'UNKNOWN';
    if (!query.excludedAlarms.has(name)) return { healthy: false, reason: `ALARM ${name}` };
  }
  if (query.serializable) return { healthy: true, reason: '' };
  if (backend.status().leader === 0n) return { healthy: false, reason: 'RAFT NO LEADER' };
  try {
    await withTimeout(backend.linearizableRead(AbortSignal.timeout(HEALTH_READ_TIMEOUT_MS)));
  } catch (error) {
    return { healthy: false, reason: `RANGE ERROR:${errorMessage(error)}` };
  }
  return { healthy: true, reason: '' };
}

/** An aborted read need not settle, so the answer does not depend on it. */
function withTimeout(read: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error('etcdserver: request timed out')),
      HEALTH_READ_TIMEOUT_MS,
    );
    read.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
