import { AlarmType } from '../../proto/etcd/rpc.ts';
import type { ApplyContext } from './context.ts';
import { nodeError } from './errors.ts';
import { hasPut } from './txn.ts';
import type { InternalRequestBody, RequestKind } from './types.ts';

/**
 * What a cluster with a corrupt member still does: disarm the alarm, and housekeeping (etcd's
 * applierV3Corrupt).
 */
const WHILE_CORRUPT: ReadonlySet<RequestKind> = new Set([
  'alarm',
  'publish',
  'clusterVersion',
  'memberUpdate',
  'leaseCheckpoint',
]);

/**
 * What active alarms refuse. Throws Corrupt or NoSpace. Without space only that is refused which
 * makes the state grow: deletes, compactions and the disarming itself must go on.
 */
export function checkAlarms({ alarms }: ApplyContext, request: InternalRequestBody): void {
  if (alarms.isActive(AlarmType.CORRUPT) && !WHILE_CORRUPT.has(request.$case)) {
    throw nodeError('Corrupt');
  }
  if (alarms.isActive(AlarmType.NOSPACE) && grows(request)) throw nodeError('NoSpace');
}

function grows(request: InternalRequestBody): boolean {
  switch (request.$case) {
    case 'put':
    case 'leaseGrant':
      return true;
    case 'txn':
      return hasPut(request.value);
    default:
      return false;
  }
}
