import { type Message, MessageType } from '../../proto/raftdeck/raft.ts';
import { NONE } from './types.ts';

/** Reported by the driver about a peer that is named in `from`. They have no term. */
export const LOCAL_TYPES: ReadonlySet<MessageType> = new Set([
  MessageType.SNAPSHOT_STATUS,
  MessageType.UNREACHABLE,
  MessageType.TRANSFER_LEADER,
]);

export const RESPONSE_TYPES: ReadonlySet<MessageType> = new Set([
  MessageType.APPEND_RESPONSE,
  MessageType.HEARTBEAT_RESPONSE,
  MessageType.VOTE_RESPONSE,
  MessageType.PRE_VOTE_RESPONSE,
]);

/** Elections: they carry the commit index as well. */
export const VOTE_TYPES: ReadonlySet<MessageType> = new Set([
  MessageType.VOTE,
  MessageType.VOTE_RESPONSE,
  MessageType.PRE_VOTE,
  MessageType.PRE_VOTE_RESPONSE,
]);

/**
 * What later code takes for granted of a message, checked where it comes in. A message that fails
 * is dropped.
 */
export function isWellFormed(message: Message): boolean {
  if (message.from === NONE) return false;
  if (message.type === MessageType.SNAPSHOT) {
    const meta = message.snapshot;
    return meta?.confState !== undefined && meta.index > 0 && meta.term <= message.term;
  }
  if (message.type !== MessageType.APPEND) return true;
  let term = message.logTerm;
  for (const [i, entry] of message.entries.entries()) {
    if (entry.index !== message.index + 1 + i || entry.term < term) return false;
    term = entry.term;
  }
  return term <= message.term;
}
