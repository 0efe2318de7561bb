import { assert } from '../../base/assert.ts';
import { type Message, MessageType } from '../../proto/raftdeck/raft.ts';
import type { RaftCore } from './core.ts';
import { campaign } from './election.ts';
import { NONE, type SnapshotMeta } from './types.ts';

/** Messages that only the leader of the term sends. */
export function isFromLeader(type: MessageType): boolean {
  return (
    type === MessageType.APPEND || type === MessageType.HEARTBEAT || type === MessageType.SNAPSHOT
  );
}

export function stepFollower(core: RaftCore, message: Message): void {
  if (isFromLeader(message.type)) {
    assert(
      core.leader === NONE || core.leader === message.from,
      `two leaders in term ${core.term}: ${core.leader} and ${message.from}`,
    );
    core.leader = message.from;
    core.electionElapsed = 0;
  }
  switch (message.type) {
    case MessageType.APPEND:
      handleAppend(core, message);
      return;
    case MessageType.HEARTBEAT:
      handleHeartbeat(core, message);
      return;
    case MessageType.SNAPSHOT:
      handleSnapshot(core, message);
      return;
    case MessageType.TIMEOUT_NOW:
      // The leader itself hands over: no pre-vote, and nobody's lease holds it back (thesis 3.10).
      campaign(core, 'transfer');
      return;
    default:
  }
}

function handleAppend(core: RaftCore, message: Message): void {
  // The log is about to be replaced; the leader tries again.
  if (core.snapshot?.installing) return;
  const { log } = core;
  if (message.index < log.commit) {
    acknowledge(core, message.from, log.commit);
    return;
  }
  if (log.tryAppend(message.index, message.logTerm, message.entries)) {
    const last = message.index + message.entries.length;
    log.commitTo(Math.min(message.commit, last));
    acknowledge(core, message.from, last);
    return;
  }
  const hint = log.findConflictByTerm(message.index, message.logTerm);
  core.send({
    type: MessageType.APPEND_RESPONSE,
    to: message.from,
    index: message.index,
    reject: true,
    rejectHint: hint.index,
    logTerm: hint.term,
  });
}

/**
 * Goes out after everything up to the index is durable, as it waits for the writes of this and
 * earlier Readies.
 */
function acknowledge(core: RaftCore, to: bigint, index: number): void {
  core.send({ type: MessageType.APPEND_RESPONSE, to, index });
}

function handleHeartbeat(core: RaftCore, message: Message): void {
  // The leader knows that we have it; a log that ends before has lost acknowledged entries, and
  // commitTo says so.
  core.log.commitTo(message.commit);
  core.send({
    type: MessageType.HEARTBEAT_RESPONSE,
    to: message.from,
    readContext: message.readContext,
  });
}

function handleSnapshot(core: RaftCore, message: Message): void {
  const meta = message.snapshot;
  assert(meta !== undefined, 'checked where the message came in');
  const { log } = core;
  if (core.snapshot?.installing) return;
  // If the log holds the snapshot's last entry, all before it is there, too.
  if (meta.index > log.commit && log.matches(meta.index, meta.term)) log.commitTo(meta.index);
  if (meta.index <= log.commit) {
    acknowledge(core, message.from, log.commit);
    return;
  }
  core.snapshot = { meta, from: message.from, installing: false };
}

/**
 * The snapshot to give to the driver now, if there is one that is still newer than the log's
 * committed part.
 */
export function takeSnapshot(core: RaftCore): SnapshotMeta | undefined {
  const pending = core.snapshot;
  if (pending === undefined || pending.installing) return undefined;
  if (pending.meta.index <= core.log.commit) {
    core.snapshot = undefined;
    acknowledge(core, pending.from, core.log.commit);
    return undefined;
  }
  // What is written before it goes to disk before it.
  if (core.log.hasUnwritten) return undefined;
  pending.installing = true;
  return pending.meta;
}
