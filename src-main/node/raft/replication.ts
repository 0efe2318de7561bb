import { assert } from '../../base/assert.ts';
import { type EntryType, MessageType } from '../../proto/raftdeck/raft.ts';
import { confStateOf } from './confchange.ts';
import type { RaftCore } from './core.ts';
import { ENTRY_OVERHEAD_BYTES } from './log.ts';
import type { Progress } from './progress.ts';
import { jointCommitted } from './quorum.ts';

/** Appends to the leader's own log; what is sent goes at the next flush. */
export function appendEntries(core: RaftCore, type: EntryType, data: readonly Buffer[]): void {
  for (const payload of data) {
    core.log.append({ term: core.term, index: core.log.lastIndex + 1, type, data: payload });
    core.uncommittedBytes += payload.length + ENTRY_OVERHEAD_BYTES;
  }
  core.unsent = true;
}

/**
 * Sends each member what it lacks, as far as its window allows. Called once for each Ready, which
 * batches.
 */
export function flushAppends(core: RaftCore): void {
  core.unsent = false;
  for (const progress of core.progress.values()) {
    if (progress.id === core.id) continue;
    // The window bounds the loop: each turn adds an append to it or ends in a pause.
    while (sendAppend(core, progress)) {}
  }
}

/** One append or the start of a snapshot, if there is anything to say. True if more may follow. */
function sendAppend(core: RaftCore, progress: Progress): boolean {
  if (progress.state === 'snapshot' || (progress.paused && !progress.nudge)) return false;
  const { log } = core;
  const prevIndex = progress.next - 1;
  const logTerm = log.term(prevIndex);
  if (logTerm === undefined) {
    sendSnapshot(core, progress);
    return false;
  }
  // With a full window an empty append still finds out what got lost.
  const entries = progress.paused ? [] : log.slice(progress.next, core.config.maxBytesPerAppend);
  if (entries.length === 0 && !mustSendEmpty(core, progress)) return false;
  const sent = core.send({
    type: MessageType.APPEND,
    to: progress.id,
    index: prevIndex,
    logTerm,
    entries,
    commit: log.commit,
  });
  if (!sent) return false;
  progress.sent(prevIndex + entries.length, log.commit);
  return entries.length > 0;
}

function mustSendEmpty(core: RaftCore, progress: Progress): boolean {
  if (progress.nudge || progress.state === 'probe') return true;
  return progress.sentCommit < Math.min(core.log.commit, progress.next - 1);
}

function sendSnapshot(core: RaftCore, progress: Progress): void {
  // State is not streamed to a member that does not answer.
  if (!progress.recentActive) return;
  const index = core.log.applied;
  const term = core.log.term(index);
  assert(term !== undefined, 'the applied entry or the base is in the log');
  assert(index >= progress.next - 1, 'the log is compacted beyond what is applied');
  const confState = confStateOf(core.configuration);
  const snapshot = { index, term, confState };
  if (core.send({ type: MessageType.SNAPSHOT, to: progress.id, snapshot })) {
    progress.becomeSnapshot(index);
  }
}

/**
 * The commit index in it never exceeds what the member is known to have (thesis 3.5; etcd raft).
 */
export function broadcastHeartbeat(core: RaftCore): void {
  for (const progress of core.progress.values()) {
    if (progress.id === core.id) continue;
    core.send({
      type: MessageType.HEARTBEAT,
      to: progress.id,
      commit: Math.min(progress.match, core.log.commit),
      readContext: core.reads.context,
    });
  }
}

/**
 * Commits what a quorum has, if it is of this term (thesis 3.6.2); older entries follow from it.
 */
export function maybeCommit(core: RaftCore): boolean {
  const before = core.log.commit;
  const index = jointCommitted(core.configuration, (id) => core.progress.get(id)?.match ?? 0);
  if (index <= before || !core.log.matches(index, core.term)) return false;
  core.log.commitTo(index);
  const own = core.log.bytesBetween(Math.max(before, core.termStart - 1), index);
  core.uncommittedBytes -= own;
  assert(core.uncommittedBytes >= 0, 'more bytes committed than appended');
  core.unsent = true;
  return true;
}

/** The local log is durable further on: only now does the leader count itself (thesis 10.2.1). */
export function acknowledgeSelf(core: RaftCore): void {
  if (core.progress.get(core.id)?.acknowledge(core.log.stable)) maybeCommit(core);
}

export function canStartReads(core: RaftCore): boolean {
  return core.role === 'leader' && core.reads.canStart && core.committedInTerm;
}

/** One round of heartbeats for all reads that wait; a sole voter need not ask anybody. */
export function startReads(core: RaftCore): void {
  core.reads.start(core.log.commit);
  confirmReads(core);
  if (core.reads.context !== 0) broadcastHeartbeat(core);
}

/** Answers the rounds that a quorum has confirmed, of which this node is itself a part. */
export function confirmReads(core: RaftCore): void {
  if (core.reads.context === 0) return;
  const { reads, configuration, id } = core;
  const confirmed = jointCommitted(configuration, (member) =>
    member === id ? reads.newest : (core.progress.get(member)?.readAck ?? 0),
  );
  for (const round of reads.confirm(confirmed)) {
    for (const read of round.reads) core.answerRead(read.from, read.context, round.index);
  }
}
