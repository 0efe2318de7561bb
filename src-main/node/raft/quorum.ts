import type { RaftId } from './types.ts';

/** What an empty half of a joint configuration answers: it never holds the other half back. */
export const NO_LIMIT = Number.MAX_SAFE_INTEGER;

export type VoteResult = 'pending' | 'won' | 'lost';

/**
 * The two majorities that must agree. outgoing is empty unless a joint configuration is in force.
 */
export interface VoterSets {
  readonly incoming: ReadonlySet<RaftId>;
  readonly outgoing: ReadonlySet<RaftId>;
}

/** The highest index that a majority of the voters has acknowledged. */
export function majorityCommitted(
  voters: ReadonlySet<RaftId>,
  acknowledged: (id: RaftId) => number,
): number {
  if (voters.size === 0) return NO_LIMIT;
  const indices: number[] = [];
  for (const id of voters) indices.push(acknowledged(id));
  indices.sort((a, b) => b - a);
  // Descending: the entry at floor(n / 2) is reached by floor(n / 2) + 1 voters.
  return indices[Math.floor(indices.length / 2)] ?? 0;
}

/** Joint consensus wants both majorities (thesis 4.3), so the lower of the two counts. */
export function jointCommitted(sets: VoterSets, acknowledged: (id: RaftId) => number): number {
  return Math.min(
    majorityCommitted(sets.incoming, acknowledged),
    majorityCommitted(sets.outgoing, acknowledged),
  );
}

export function majorityVote(
  voters: ReadonlySet<RaftId>,
  votes: (id: RaftId) => boolean | undefined,
): VoteResult {
  if (voters.size === 0) return 'won';
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = votes(id);
    if (vote === true) granted++;
    else if (vote === undefined) missing++;
  }
  const quorum = Math.floor(voters.size / 2) + 1;
  if (granted >= quorum) return 'won';
  return granted + missing >= quorum ? 'pending' : 'lost';
}

export function jointVote(sets: VoterSets, votes: (id: RaftId) => boolean | undefined): VoteResult {
  const incoming = majorityVote(sets.incoming, votes);
  const outgoing = majorityVote(sets.outgoing, votes);
  if (incoming === outgoing) return incoming;
  return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending';
}
