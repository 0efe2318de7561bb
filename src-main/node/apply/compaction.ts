import type { CompactionRequest, CompactionResponse } from '../../proto/etcd/rpc.ts';
import type { ApplyContext } from './context.ts';

/** Reads below the revision are refused from now on; removal follows in slices. */
export function applyCompaction(
  { compactor }: ApplyContext,
  { revision }: CompactionRequest,
): CompactionResponse {
  compactor.schedule(revision);
  return { header: undefined };
}
