/** Looked at before and after upkeep: what a compaction removes, and whether the members agree. */
import { errorMessage } from '../base/errors.ts';
import type { CallParsed } from '../contract/calls.ts';
import type { CompactionEffect, HashComparison, MemberHash } from '../contract/storage-tools.ts';
import type { EtcdConnection } from '../remote/connection.ts';
import type { Cluster } from './cluster.ts';
import type { CallContext } from './dispatcher.ts';
import { failure } from './errors.ts';

/** Counting at an old revision is linear in etcd. */
const COUNT_TIMEOUT_MS = 20_000;
const ALL: Buffer = Buffer.from([0]);

/**
 * Every revision since the last compaction added a version (or a deletion) of some key, and of those
 * up to the target one stays for each key that exists there. So the keys that existed at the last
 * compaction, plus the revisions since, less the keys that exist at the target, is what goes.
 */
export async function compactionEffect(
  etcd: Pick<EtcdConnection, 'range'>,
  storage: { readonly compactRevision: number | null },
  input: CallParsed<'storage.compactionEffect'>,
  context: CallContext,
): Promise<CompactionEffect> {
  // Revision 1 is the empty store: nothing was written by it.
  const from = Math.max(1, storage.compactRevision ?? 1);
  const count = async (revision: number) => {
    const request = { key: ALL, rangeEnd: ALL, countOnly: true, serializable: true, revision };
    const options = { timeoutMs: COUNT_TIMEOUT_MS, signal: context.signal };
    return (await etcd.range(request, options)).count;
  };
  const [keysBefore, keysKept] = [from > 1 ? await count(from) : 0, await count(input.revision)];
  const versionsRemovedAtLeast = Math.max(0, keysBefore + input.revision - from - keysKept);
  return { keysKept, versionsRemovedAtLeast };
}

/**
 * Maintenance.HashKV of every member at one revision, the newest that all of them have. Sums of
 * members whose compaction differs say nothing about each other.
 */
export async function compareHashes(
  cluster: Pick<Cluster, 'monitor' | 'etcd'>,
  context: CallContext,
): Promise<HashComparison> {
  const { nodes } = cluster.monitor.overview();
  const { signal } = context;
  const heads = await Promise.all(
    nodes.map(async (node) => {
      try {
        const { header } = await cluster.etcd.status(node.clientUrl, { signal });
        return { node, revision: header?.revision ?? 0, error: null };
      } catch (error) {
        return { node, revision: null, error: errorMessage(error) };
      }
    }),
  );
  const known = heads.flatMap(({ revision }) => (revision === null ? [] : [revision]));
  if (known.length === 0) throw failure('Unavailable', 'no member answers');
  const revision = Math.min(...known);
  const members = await Promise.all(
    heads.map(async ({ node, error }): Promise<MemberHash> => {
      const { name, role, clientUrl } = node;
      const none = { name, role, clientUrl, hash: null, compactRevision: null };
      if (error !== null) return { ...none, error };
      try {
        const sum = await cluster.etcd.hashKv(clientUrl, revision, { signal });
        const { hash, compactRevision } = sum;
        return { ...none, hash, compactRevision: Math.max(0, compactRevision), error: null };
      } catch (failed) {
        return { ...none, error: errorMessage(failed) };
      }
    }),
  );
  return { revision, members, verdict: judge(members) };
}

/** Members are held against those of the same compaction alone. */
export function judge(
  members: readonly Pick<MemberHash, 'hash' | 'compactRevision'>[],
): HashComparison['verdict'] {
  const sums = new Map<number, Set<number>>();
  const answered = members.filter(({ hash }) => hash !== null);
  for (const { hash, compactRevision } of answered) {
    const at = compactRevision ?? 0;
    sums.set(at, (sums.get(at) ?? new Set()).add(hash ?? 0));
  }
  if ([...sums.values()].some((set) => set.size > 1)) return 'differ';
  return sums.size === 1 && answered.length > 1 ? 'equal' : 'unknown';
}
