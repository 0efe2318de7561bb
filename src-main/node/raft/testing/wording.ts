import { ConfChange, EntryType, type Message, MessageType } from '../../../proto/raftdeck/raft.ts';
import type { RaftNode } from '../node.ts';
import type { ConfState, Entry } from '../types.ts';
import { changeWords } from './change-words.ts';

const TYPES = new Map(Object.entries(MessageType).map(([name, value]) => [value, name]));

/** Letters as they are, other bytes as dots. */
function text(data: Uint8Array): string {
  return Buffer.from(data)
    .toString('latin1')
    .replace(/[^ -~]/g, '.');
}

export function describeEntry({ index, term, type, data }: Entry): string {
  const what =
    type === EntryType.CONF_CHANGE
      ? ` [${changeWords(ConfChange.decode(data))}]`
      : data.length > 0
        ? ` "${text(data)}"`
        : '';
  return `${index}/${term}${what}`;
}

/** Only what a message of its type means: "1>2 APPEND term 2 after 3/1: 4/2 "x"; commit 3". */
export function describeMessage(message: Message): string {
  const { type, from, to, term, reject } = message;
  const head = `${from}>${to} ${TYPES.get(type)} term ${term}`;
  return `${head}${details(message)}${message.forced ? ', forced' : ''}${reject ? ', refused' : ''}`;
}

function details(message: Message): string {
  const { type, index, logTerm, entries, commit, reject, rejectHint, snapshot } = message;
  switch (type) {
    case MessageType.APPEND: {
      const list = entries.length > 0 ? `: ${entries.map(describeEntry).join(', ')}` : '';
      return ` after ${index}/${logTerm}${list}; commit ${commit}`;
    }
    case MessageType.APPEND_RESPONSE:
      return reject ? ` at ${index}, hint ${rejectHint}/${logTerm}` : ` up to ${index}`;
    case MessageType.VOTE:
    case MessageType.PRE_VOTE:
      return ` log ends ${index}/${logTerm}`;
    case MessageType.HEARTBEAT:
      return ` commit ${commit}${message.readContext > 0 ? `, read round ${message.readContext}` : ''}`;
    case MessageType.HEARTBEAT_RESPONSE:
    case MessageType.READ_INDEX:
      return message.readContext > 0 ? ` read ${message.readContext}` : '';
    case MessageType.READ_INDEX_RESPONSE:
      return ` read ${message.readContext} at ${index}`;
    case MessageType.SNAPSHOT:
      return ` at ${snapshot?.index}/${snapshot?.term}`;
    case MessageType.PROPOSE:
      return `: ${entries.map(({ data }) => `"${text(data)}"`).join(', ')}`;
    default:
      return '';
  }
}

export function describeMembers({ voters, votersOutgoing, learners }: ConfState): string {
  const parts = [`voters ${voters.join()}`];
  if (votersOutgoing.length > 0) parts.push(`outgoing ${votersOutgoing.join()}`);
  if (learners.length > 0) parts.push(`learners ${learners.join()}`);
  return parts.join(' ');
}

/** One line of status, and one more for each follower that a leader knows. */
export function describeNode(raft: RaftNode): string[] {
  const s = raft.status();
  const lines = [
    `${s.id}: ${s.role} term ${s.term} vote ${s.vote} leader ${s.leader} commit ${s.commit} ` +
      `log ${s.firstIndex}..${s.lastIndex} ${describeMembers(s.confState)}`,
  ];
  for (const { id, state, match, next } of s.progress) {
    if (id !== s.id) lines.push(`  ${id}: ${state} match ${match} next ${next}`);
  }
  return lines;
}
