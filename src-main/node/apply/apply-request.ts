import { unreachable } from '../../base/assert.ts';
import { applyAlarm } from './alarm.ts';
import { applyClusterVersion } from './cluster-version.ts';
import { applyCompaction } from './compaction.ts';
import type { ApplyContext } from './context.ts';
import { applyDeleteRange } from './delete-range.ts';
import { nodeError } from './errors.ts';
import { checkAlarms } from './gate.ts';
import { applyLeaseCheckpoint, applyLeaseGrant, applyLeaseRevoke } from './lease.ts';
import { applyMemberUpdate } from './member-update.ts';
import { applyPublish } from './publish.ts';
import { applyPut } from './put.ts';
import { applyTxn } from './txn.ts';
import type { ApplyResponses, InternalRequestBody, RequestKind } from './types.ts';

/** Throws a NodeError before anything is written, or changes the state and answers. */
export function applyRequest(
  context: ApplyContext,
  request: InternalRequestBody | undefined,
): ApplyResponses[RequestKind] {
  // A kind that only newer members know.
  if (request === undefined) throw nodeError('NotImplemented');
  checkAlarms(context, request);
  switch (request.$case) {
    case 'put':
      return applyPut(context, request.value);
    case 'deleteRange':
      return applyDeleteRange(context, request.value);
    case 'txn':
      return applyTxn(context, request.value);
    case 'compaction':
      return applyCompaction(context, request.value);
    case 'leaseGrant':
      return applyLeaseGrant(context, request.value);
    case 'leaseRevoke':
      return applyLeaseRevoke(context, request.value);
    case 'leaseCheckpoint':
      return applyLeaseCheckpoint(context, request.value);
    case 'alarm':
      return applyAlarm(context, request.value);
    case 'publish':
      return applyPublish(context, request.value);
    case 'clusterVersion':
      return applyClusterVersion(context, request.value);
    case 'memberUpdate':
      return applyMemberUpdate(context, request.value);
    default:
      return unreachable(request, 'request kind');
  }
}
