import type { Member } from '../../proto/etcd/rpc.ts';

export interface ClusterVersionView {
  members: readonly Pick<Member, 'ID'>[];
  /** What the cluster has agreed on; undefined for a fresh one. */
  agreed: string | undefined;
  /** The API version that a member stated when it was last connected; undefined if it never was. */
  versionOf(id: bigint): string | undefined;
  /** --strict-capability: a fresh cluster has no version before every member was there once. */
  strict: boolean;
}

/**
 * The version that the leader should propose now, or undefined if there is none to propose: the lowest that any member
 * speaks (etcd's decideClusterVersion). A fresh cluster takes the lowest of those that are there, since they are a
 * majority, or with `strict` waits for all. Later it is only raised, and only when all are known to be able to.
 */
export function versionToPropose(view: ClusterVersionView): string | undefined {
  const versions = view.members.map(({ ID }) => view.versionOf(ID));
  const known = versions.filter((version) => version !== undefined);
  const all = known.length === versions.length;
  const lowest = [...known].sort(compareVersions)[0];
  if (lowest === undefined) return undefined;
  if (view.agreed === undefined) return all || !view.strict ? lowest : undefined;
  return all && compareVersions(lowest, view.agreed) > 0 ? lowest : undefined;
}

/** "3.5.0"-like versions, by their numbers. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
