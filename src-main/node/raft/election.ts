import { assert } from '../../base/assert.ts';
import { EntryType, type Message, MessageType } from '../../proto/raftdeck/raft.ts';
import { membersOf } from './confchange.ts';
import type { RaftCore } from './core.ts';
import { Progress } from './progress.ts';
import { jointVote } from './quorum.ts';
import { appendEntries } from './replication.ts';
import { NONE } from './types.ts';

type CampaignKind = 'preVote' | 'vote' | 'transfer';

/**
 * Starts an election, if this node may win one. A node that has committed but not applied a
 * configuration change does not know the configuration it would be elected by, and applies first.
 */
export function campaign(core: RaftCore, kind: CampaignKind): void {
  if (core.role === 'leader' || !core.promotable) return;
  if (core.log.hasUnappliedConfChange()) {
    // A leader that was removed hands over in the same turn as it tells of the commit.
    core.campaignOnceApplied = kind === 'transfer';
    return;
  }
  if (kind === 'preVote') becomePreCandidate(core);
  else becomeCandidate(core);
  if (recordVote(core, core.id, true) === 'won') {
    core.electedAlone = true;
    electionWon(core);
    return;
  }
  for (const id of membersOf(core.configuration)) {
    if (id === core.id || core.configuration.learners.has(id)) continue;
    core.send({
      type: kind === 'preVote' ? MessageType.PRE_VOTE : MessageType.VOTE,
      to: id,
      // A pre-vote asks about the term that this node has not entered yet (thesis 9.6).
      term: kind === 'preVote' ? core.term + 1 : core.term,
      index: core.log.lastIndex,
      logTerm: core.log.lastTerm,
      forced: kind === 'transfer',
      ...core.commitClaim(),
    });
  }
}

/** Takes over as told, now that what held it back is applied. */
export function campaignIfDeferred(core: RaftCore): void {
  if (core.campaignOnceApplied) campaign(core, 'transfer');
}

export function campaignOnTimeout(core: RaftCore): void {
  campaign(core, core.config.preVote ? 'preVote' : 'vote');
}

function becomePreCandidate(core: RaftCore): void {
  core.reset(core.term);
  core.role = 'preCandidate';
}

function becomeCandidate(core: RaftCore): void {
  core.reset(core.term + 1);
  core.role = 'candidate';
  core.vote = core.id;
}

function recordVote(core: RaftCore, from: bigint, granted: boolean) {
  if (!core.votes.has(from)) core.votes.set(from, granted);
  return jointVote(core.configuration, (id) => core.votes.get(id));
}

function electionWon(core: RaftCore): void {
  if (core.role === 'preCandidate') campaign(core, 'vote');
  else becomeLeader(core);
}

function becomeLeader(core: RaftCore): void {
  assert(core.role === 'candidate', 'only a candidate becomes leader');
  const alone = core.electedAlone;
  core.reset(core.term);
  core.role = 'leader';
  core.leader = core.id;
  core.electedAlone = alone;
  trackMembers(core);
  // Whatever is in the log may hold a change of configuration, so the next one waits until all is
  // applied.
  core.pendingConfIndex = core.log.lastIndex;
  core.termStart = core.log.lastIndex + 1;
  // Earlier terms' entries commit only through one of this term (thesis 3.6.2).
  appendEntries(core, EntryType.NORMAL, [Buffer.alloc(0)]);
}

/**
 * Brings the leader's view of the members in line with the configuration; what is known of the rest
 * stays.
 */
export function trackMembers(core: RaftCore): void {
  const before = core.progress;
  core.progress = new Map();
  for (const id of membersOf(core.configuration)) {
    const learner = core.configuration.learners.has(id);
    const known = before.get(id);
    if (known !== undefined) known.learner = learner;
    const progress = known ?? newProgress(core, id, learner);
    core.progress.set(id, progress);
  }
  core.unsent = true;
}

function newProgress(core: RaftCore, id: bigint, learner: boolean): Progress {
  const next = core.log.lastIndex + 1;
  const progress = new Progress(id, next, core.config.maxInflightAppends, learner);
  // Nobody is held against a quorum before having had the time to answer.
  progress.recentActive = true;
  if (id === core.id) {
    progress.acknowledge(core.log.stable);
    progress.becomeReplicate();
  }
  return progress;
}

/** VOTE and PRE_VOTE of this term or a later one, after the term is settled. */
export function handleVoteRequest(core: RaftCore, message: Message): void {
  const preVote = message.type === MessageType.PRE_VOTE;
  const free =
    core.vote === message.from ||
    (core.vote === NONE && core.leader === NONE) ||
    (preVote && message.term > core.term);
  const grant = free && core.log.isUpToDate(message.index, message.logTerm);
  if (grant && !preVote) {
    core.electionElapsed = 0;
    core.vote = message.from;
  }
  core.send({
    type: preVote ? MessageType.PRE_VOTE_RESPONSE : MessageType.VOTE_RESPONSE,
    to: message.from,
    // A granted pre-vote answers for the term asked about; a refusal tells the candidate ours.
    term: grant ? message.term : core.term,
    reject: !grant,
    ...core.commitClaim(),
  });
}

/**
 * A leader that is alive holds elections back, unless it asked for this one (thesis 4.2.3, 6.4.1).
 */
export function inLease(core: RaftCore, message: Message): boolean {
  return (
    core.config.checkQuorum &&
    !message.forced &&
    core.leader !== NONE &&
    core.electionElapsed < core.config.electionTicks
  );
}

export function stepCandidate(core: RaftCore, message: Message): void {
  const preVote = core.role === 'preCandidate';
  const expected = preVote ? MessageType.PRE_VOTE_RESPONSE : MessageType.VOTE_RESPONSE;
  if (message.type !== expected) return;
  // A grant for an earlier pre-election says nothing about this one.
  if (preVote && !message.reject && message.term !== core.term + 1) return;
  const result = recordVote(core, message.from, !message.reject);
  if (result === 'won') electionWon(core);
  else if (result === 'lost') core.becomeFollower(core.term, NONE);
}
