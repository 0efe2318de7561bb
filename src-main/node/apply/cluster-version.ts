import type { ClusterVersion } from '../../proto/raftdeck/internal.ts';
import { META_CLUSTER_VERSION } from '../storage/schema/meta.ts';
import type { ApplyContext } from './context.ts';

export function applyClusterVersion(
  { kv }: ApplyContext,
  { version }: ClusterVersion,
): Record<string, never> {
  kv.store.put('meta', META_CLUSTER_VERSION, Buffer.from(version));
  return {};
}
