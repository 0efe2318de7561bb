import type { MemberUpdate } from '../../proto/raftdeck/internal.ts';
import { updateRefusal } from '../membership/change-check.ts';
import type { ApplyContext } from './context.ts';
import { nodeError } from './errors.ts';

/** New peer URLs. No change of Raft's configuration: the member stays who it is. */
export function applyMemberUpdate(
  { members }: ApplyContext,
  request: MemberUpdate,
): Record<string, never> {
  const refusal = updateRefusal(members, request);
  if (refusal !== undefined) throw nodeError(refusal);
  members.update(request);
  return {};
}
