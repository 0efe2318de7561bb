import type { PublishMember } from '../../proto/raftdeck/internal.ts';
import type { ApplyContext } from './context.ts';

export function applyPublish(
  { members }: ApplyContext,
  request: PublishMember,
): Record<string, never> {
  members.publish(request);
  return {};
}
