/** What a scenario waits for, as it is seen in what the members tell of their Raft. */
import type { RaftEventView, RaftMemberView, RaftView } from '../../contract/views.ts';

/** The member that leads, by its own account and in the newest term. */
export function leaderIn({ members }: Pick<RaftView, 'members'>): RaftMemberView | null {
  const leaders = members.filter(({ role, source }) => role === 'leader' && source !== null);
  return leaders.sort((a, b) => (b.term ?? 0) - (a.term ?? 0))[0] ?? null;
}

/** One that leads in a newer term than that one, and whom a quorum follows. */
export function successorOf(view: RaftView, old: { name: string; term: number }) {
  const leader = leaderIn(view);
  if (leader === null || (leader.term ?? 0) <= old.term) return null;
  const followers = view.members.filter(
    (member) => member.leader === leader.name && member.term === leader.term,
  );
  return followers.length >= view.quorum ? leader : null;
}

/** Everyone answers and follows the same leader. */
export function allFollow(view: RaftView): boolean {
  const leader = leaderIn(view);
  if (leader === null) return false;
  return view.members.every(
    (member) => member.leader === leader.name && member.term === leader.term,
  );
}

/** Entries that a member lacks of what the leader has committed. */
export function lagOf(view: RaftView, name: string): number {
  const leader = leaderIn(view);
  // Who does not answer is judged by what the leader knows of it.
  const match = leader?.followers.find((one) => one.name === name)?.match;
  const applied = view.members.find((one) => one.name === name)?.applied ?? match;
  if (leader === null || applied === undefined) return 0;
  return Math.max(0, (leader.commit ?? 0) - applied);
}

export function caughtUp(view: RaftView): boolean {
  return allFollow(view) && view.members.every(({ name }) => lagOf(view, name) === 0);
}

/** The term of a split vote since `sinceMs`, with those who stood; null if there was none. */
export function splitVote(
  events: readonly RaftEventView[],
  sinceMs: number,
): { term: number; candidates: string[] } | null {
  const roles = events.filter(({ kind, atMs }) => kind === 'role' && atMs >= sinceMs);
  const won = new Set(roles.filter(({ role }) => role === 'leader').map(({ term }) => term));
  const stood = new Map<number, Set<string>>();
  for (const { role, term, node } of roles) {
    if (role !== 'candidate') continue;
    stood.set(term, (stood.get(term) ?? new Set()).add(node));
  }
  for (const [term, nodes] of stood) {
    if (nodes.size > 1 && !won.has(term)) return { term, candidates: [...nodes].sort() };
  }
  return null;
}

export function snapshotInstalled(
  events: readonly RaftEventView[],
  node: string,
  sinceMs: number,
): RaftEventView | null {
  const isIt = (event: RaftEventView) =>
    event.kind === 'snapshotInstalled' && event.node === node && event.atMs >= sinceMs;
  return events.find(isIt) ?? null;
}
