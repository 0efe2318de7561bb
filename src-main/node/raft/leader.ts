import { assert } from '../../base/assert.ts';
import {
  ConfChange,
  type Entry,
  EntryType,
  type Message,
  MessageType,
} from '../../proto/raftdeck/raft.ts';
import { applyChange, isJoint, isLeave } from './confchange.ts';
import type { RaftCore } from './core.ts';
import { ENTRY_OVERHEAD_BYTES } from './log.ts';
import type { Progress } from './progress.ts';
import { jointVote } from './quorum.ts';
import { appendEntries, broadcastHeartbeat, confirmReads, maybeCommit } from './replication.ts';
import { NONE, type ProposeResult, type RaftId } from './types.ts';

export function stepLeader(core: RaftCore, message: Message): void {
  const progress = core.progress.get(message.from);
  if (progress === undefined) return;
  switch (message.type) {
    case MessageType.APPEND_RESPONSE:
      progress.recentActive = true;
      if (message.reject) handleRefusal(core, progress, message);
      else handleAcknowledgement(core, progress, message.index);
      return;
    case MessageType.HEARTBEAT_RESPONSE:
      handleHeartbeatResponse(core, progress, message.readContext);
      return;
    default:
  }
}

function handleRefusal(core: RaftCore, progress: Progress, message: Message): void {
  // The follower skipped its entries of conflicting terms; we skip ours that it cannot have.
  const hint =
    message.logTerm > 0
      ? core.log.findConflictByTerm(message.rejectHint, message.logTerm).index
      : message.rejectHint;
  if (progress.refuse(message.index, hint)) core.unsent = true;
}

function handleAcknowledgement(core: RaftCore, progress: Progress, index: number): void {
  assert(index <= core.log.lastIndex, `member ${progress.id} acknowledged what was never sent`);
  const moved = progress.acknowledge(index);
  core.unsent = true;
  if (progress.state === 'replicate') {
    progress.inflights.freeUpTo(index);
  } else if (progress.state === 'probe') {
    if (moved || progress.match === index) progress.becomeReplicate();
  } else if (progress.match + 1 >= core.log.firstIndex) {
    // It can go on from the log, whether by this snapshot or by another way.
    progress.becomeReplicate();
  }
  if (moved) {
    maybeCommit(core);
    finishTransfer(core, progress);
  }
}

function handleHeartbeatResponse(core: RaftCore, progress: Progress, context: number): void {
  progress.recentActive = true;
  progress.probeSent = false;
  if (progress.match < core.log.lastIndex || progress.state === 'probe') {
    // It is behind, perhaps because something got lost: an append will tell.
    progress.nudge = true;
    core.unsent = true;
  }
  if (context > progress.readAck && context <= core.reads.newest) {
    progress.readAck = context;
    confirmReads(core);
  }
}

export function handleSnapshotStatus(core: RaftCore, from: RaftId, failed: boolean): void {
  const progress = core.progress.get(from);
  if (progress?.state !== 'snapshot') return;
  if (failed) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  // The follower still has to install it, or the cause of the failure to go: wait for its next
  // answer.
  progress.probeSent = true;
}

export function handleUnreachable(core: RaftCore, from: RaftId): void {
  const progress = core.progress.get(from);
  // What is under way is probably lost: pipelining would only lose more.
  if (progress?.state === 'replicate') progress.becomeProbe();
}

export function tickLeader(core: RaftCore): void {
  core.heartbeatElapsed++;
  core.electionElapsed++;
  if (core.electionElapsed >= core.config.electionTicks) {
    core.electionElapsed = 0;
    // A successor that has not taken over by now will not (thesis 3.10).
    core.transferee = NONE;
    autoLeave(core);
    if (core.config.checkQuorum && !checkQuorum(core)) {
      core.becomeFollower(core.term, NONE);
      return;
    }
  }
  if (core.heartbeatElapsed >= core.config.heartbeatTicks) {
    core.heartbeatElapsed = 0;
    broadcastHeartbeat(core);
  }
}

function checkQuorum(core: RaftCore): boolean {
  const active = (id: RaftId) => id === core.id || core.progress.get(id)?.recentActive === true;
  const alive = jointVote(core.configuration, active) === 'won';
  for (const progress of core.progress.values()) progress.recentActive = progress.id === core.id;
  return alive;
}

/** All or nothing: either every payload gets an entry or none does. */
export function proposeAsLeader(
  core: RaftCore,
  type: EntryType,
  data: readonly Buffer[],
): ProposeResult {
  if (core.transferee !== NONE) return 'transferring';
  let bytes = 0;
  for (const payload of data) bytes += payload.length + ENTRY_OVERHEAD_BYTES;
  // One that is larger than the limit by itself passes when nothing else is under way.
  if (
    core.uncommittedBytes > 0 &&
    core.uncommittedBytes + bytes > core.config.maxUncommittedBytes
  ) {
    return 'tooManyUncommitted';
  }
  appendEntries(core, type, data);
  return 'ok';
}

/** One change at a time: the next is proposed after the one before is applied (thesis 4.1). */
export function proposeConfChangeAsLeader(core: RaftCore, change: ConfChange): ProposeResult {
  if (core.pendingConfIndex > core.log.applied) return 'confChangePending';
  if (isJoint(core.configuration) !== isLeave(change)) {
    return isLeave(change) ? 'invalidConfChange' : 'confChangePending';
  }
  try {
    applyChange(core.configuration, change);
  } catch {
    return 'invalidConfChange';
  }
  const result = proposeAsLeader(core, EntryType.CONF_CHANGE, [encodeConfChange(change)]);
  if (result === 'ok') core.pendingConfIndex = core.log.lastIndex;
  return result;
}

export function encodeConfChange(change: ConfChange): Buffer {
  const encoded = ConfChange.encode(change).finish();
  return Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
}

/** Undefined for bytes that are none: they came over the network. */
function decodeConfChange(data: Buffer): ConfChange | undefined {
  try {
    return ConfChange.decode(data);
  } catch {
    return undefined;
  }
}

/** What another member forwarded. Whoever proposed it learns of a refusal by its own timeout. */
export function handlePropose(core: RaftCore, message: Message): void {
  core.held.add(message);
  releaseHeld(core);
}

/** Gives held proposals to the log or to the leader, once there is one that takes them. */
export function releaseHeld(core: RaftCore): void {
  if (core.held.isEmpty) return;
  if (core.role === 'leader') {
    if (core.transferee !== NONE) return;
    for (const { entries } of core.held.take()) proposeForwarded(core, entries);
  } else if (core.leader !== NONE) {
    // This node led until now. A leader is of this term or a later one, so none is sent in a circle.
    for (const { entries } of core.held.take()) {
      core.send({ type: MessageType.PROPOSE, to: core.leader, entries });
    }
  }
}

function proposeForwarded(core: RaftCore, entries: readonly Entry[]): void {
  const [first] = entries;
  if (first?.type === EntryType.CONF_CHANGE) {
    const change = decodeConfChange(first.data);
    if (change !== undefined && entries.length === 1) proposeConfChangeAsLeader(core, change);
    return;
  }
  if (entries.length === 0) return;
  const data = entries.map((entry) => entry.data);
  proposeAsLeader(core, EntryType.NORMAL, data);
}

/**
 * Leaves a joint configuration as soon as it is applied. Also a new leader's duty towards its
 * predecessor's.
 */
export function autoLeave(core: RaftCore): void {
  if (core.role !== 'leader' || !core.configuration.autoLeave) return;
  if (core.pendingConfIndex > core.log.applied || core.transferee !== NONE) return;
  // Not subject to the limit on uncommitted bytes: without it no change would ever come through
  // again.
  appendEntries(core, EntryType.CONF_CHANGE, [Buffer.alloc(0)]);
  core.pendingConfIndex = core.log.lastIndex;
}

/** False if this node does not lead or the member cannot. */
export function transferLeader(core: RaftCore, to: RaftId): boolean {
  const progress = core.progress.get(to);
  if (core.role !== 'leader' || progress === undefined || to === core.id) return false;
  if (progress.learner || !core.configuration.incoming.has(to)) return false;
  if (core.transferee === to) return true;
  // The transfer has one election timeout from now.
  core.electionElapsed = 0;
  core.transferee = to;
  progress.nudge = true;
  core.unsent = true;
  finishTransfer(core, progress);
  return true;
}

/** The successor has the whole log, and no proposals come in meanwhile: it may campaign at once. */
function finishTransfer(core: RaftCore, progress: Progress): void {
  if (progress.id !== core.transferee || progress.match !== core.log.lastIndex) return;
  core.send({ type: MessageType.TIMEOUT_NOW, to: progress.id });
}
