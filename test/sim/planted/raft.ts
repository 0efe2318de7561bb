import type { PlantedBug } from './types.ts';

const RAFT = 'src-main/node/raft';

/** Elections, replication and commitment. */
export const RAFT_BUGS: readonly PlantedBug[] = [
  {
    name: 'commit-of-earlier-term-by-counting',
    breaks: "An earlier term's entry is committed by counting replicas (Raft thesis, figure 3.7)",
    violates: ['commitment', 'leader completeness', 'log matching', 'state machine safety'],
    edits: [
      {
        file: `${RAFT}/replication.ts`,
        find: 'if (index <= before || !core.log.matches(index, core.term)) return false;',
        replace: 'if (index <= before) return false;',
      },
      {
        file: `${RAFT}/replication.ts`,
        find: "  assert(core.uncommittedBytes >= 0, 'more bytes committed than appended');\n",
        replace: '',
      },
    ],
  },
  {
    name: 'vote-not-persisted',
    breaks: 'A vote and its term are answered before they are on the disk',
    violates: [
      'kept: term',
      'one vote',
      'election safety',
      'kept: acknowledged entries',
      'leader completeness',
    ],
    edits: [
      {
        file: `${RAFT}/node.ts`,
        find: 'mustSync: entries.length > 0 || snapshot !== undefined || voted,',
        replace: 'mustSync: entries.length > 0 || snapshot !== undefined,',
      },
    ],
  },
  {
    name: 'two-votes-in-a-term',
    breaks: 'A member votes for whoever asks, also a second time in one term',
    violates: ['one vote', 'election safety'],
    edits: [
      {
        file: `${RAFT}/election.ts`,
        find: '(core.vote === NONE && core.leader === NONE) ||',
        replace: 'core.leader === NONE ||',
      },
    ],
  },
  {
    name: 'election-without-log-check',
    breaks: "A vote is given without comparing the candidate's log (thesis 3.6.1)",
    violates: ['leader completeness'],
    edits: [
      {
        file: `${RAFT}/election.ts`,
        find: 'const grant = free && core.log.isUpToDate(message.index, message.logTerm);',
        replace: 'const grant = free;',
      },
    ],
  },
  {
    name: 'votes-compared-by-length-alone',
    breaks: 'The longer log wins an election, whatever the term of its last entry',
    violates: ['leader completeness'],
    edits: [
      {
        file: `${RAFT}/log.ts`,
        find: 'return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);',
        replace: 'return lastIndex >= this.lastIndex;',
      },
    ],
  },
  {
    name: 'truncation-on-stale-append',
    breaks: 'An append that comes late or twice cuts off the entries after its own',
    violates: ['kept: acknowledged entries', 'commitment', 'leader completeness', 'log matching'],
    edits: [
      {
        file: `${RAFT}/log.ts`,
        find: '      if (this.matches(entry.index, entry.term)) continue;\n',
        replace: '',
      },
      // As the original bug had no assertion behind it, this one has none either.
      {
        file: `${RAFT}/log.ts`,
        find: 'assert(index <= this.lastIndex, `commit of',
        replace: 'assert(index > 0, `commit of',
      },
      {
        file: `${RAFT}/log.ts`,
        find: '    this.#commit = index;\n    return true;',
        replace: '    this.#commit = Math.min(index, this.lastIndex);\n    return true;',
      },
      {
        file: `${RAFT}/leader.ts`,
        find: 'assert(index <= core.log.lastIndex, `member',
        replace: 'assert(index >= 0, `member',
      },
    ],
  },
  {
    name: 'append-commits-unverified-tail',
    breaks: 'A follower commits what it has beyond the entries that an append has verified',
    violates: [
      'commitment',
      'state machine safety',
      'log matching',
      'leader completeness',
      'fatal',
    ],
    missed:
      'the first append that a follower takes begins at its first entry that differs, so that no tail is left that is not compared',
    edits: [
      {
        file: `${RAFT}/follower.ts`,
        find: 'log.commitTo(Math.min(message.commit, last));',
        replace: 'log.commitTo(Math.min(message.commit, log.lastIndex));',
      },
    ],
  },
  {
    name: 'heartbeat-commits-beyond-match',
    breaks: 'A heartbeat commits entries of a follower that were never compared (etcd raft, 2014)',
    violates: [
      'commitment',
      'state machine safety',
      'log matching',
      'leader completeness',
      'fatal',
    ],
    edits: [
      {
        file: `${RAFT}/replication.ts`,
        find: 'commit: Math.min(progress.match, core.log.commit),',
        replace: 'commit: core.log.commit,',
      },
      {
        file: `${RAFT}/follower.ts`,
        find: '  core.log.commitTo(message.commit);',
        replace: '  core.log.commitTo(Math.min(message.commit, core.log.lastIndex));',
      },
    ],
  },
  {
    name: 'snapshot-over-newer-state',
    breaks: 'A snapshot that comes late replaces a newer state',
    violates: [
      'revision goes back',
      'state machine safety',
      'raft: never back',
      'raft: apply order',
      'fatal',
    ],
    edits: [
      {
        file: `${RAFT}/follower.ts`,
        find: '  if (meta.index > log.commit && log.matches(meta.index, meta.term)) log.commitTo(meta.index);\n  if (meta.index <= log.commit) {\n    acknowledge(core, message.from, log.commit);\n    return;\n  }\n',
        replace: '',
      },
      {
        file: `${RAFT}/follower.ts`,
        find: '  if (pending.meta.index <= core.log.commit) {\n    core.snapshot = undefined;\n    acknowledge(core, pending.from, core.log.commit);\n    return undefined;\n  }\n',
        replace: '',
      },
      {
        file: `${RAFT}/log.ts`,
        find: "    assert(index > this.#handedOut, 'a snapshot would replace newer state');\n",
        replace: '',
      },
      // The one who takes the data in would have none left for it.
      {
        file: 'src-main/node/server/snapshots.ts',
        find: '        if (meta.index <= this.#state.appliedIndex) settle();\n',
        replace: '',
      },
    ],
  },
  {
    name: 'follower-acknowledges-before-sync',
    breaks: 'A follower acknowledges entries before they are on its disk',
    violates: ['kept: acknowledged entries', 'commitment', 'leader completeness'],
    edits: [
      {
        file: `${RAFT}/core.ts`,
        find: '  MessageType.APPEND_RESPONSE,\n  MessageType.VOTE,',
        replace: '  MessageType.VOTE,',
      },
    ],
  },
  {
    name: 'leader-counts-itself-before-sync',
    breaks: 'The leader counts its own copy of an entry before it is on its disk',
    violates: ['commitment', 'leader completeness'],
    edits: [
      {
        file: `${RAFT}/replication.ts`,
        find: '(id) => core.progress.get(id)?.match ?? 0);\n  if (index <= before',
        replace:
          '(id) => id === core.id ? core.log.lastIndex : (core.progress.get(id)?.match ?? 0));\n  if (index <= before',
      },
    ],
  },
  {
    name: 'ack-before-sync-on-single-member',
    breaks: 'A single member answers a put before it is on its disk (etcd 14370)',
    violates: [
      'commitment',
      'linearizable: origin',
      'linearizable: answer',
      'linearizable: search',
      'linearizable: stale read',
      'refused',
    ],
    edits: [
      {
        file: `${RAFT}/node.ts`,
        find: '    const entries = core.log.takeUnwritten();\n',
        replace: `    const entries = core.log.takeUnwritten();
    const isAlone = isSoleVoter(core.configuration, core.id);
    if (isAlone && core.log.persisted(core.log.lastIndex, core.log.lastTerm)) acknowledgeSelf(core);
`,
      },
    ],
  },
  {
    name: 'learner-counted-in-quorum',
    breaks: "A learner's acknowledgement counts towards the voters' quorum",
    violates: ['commitment', 'leader completeness', 'state machine safety', 'log matching'],
    edits: [
      {
        file: `${RAFT}/replication.ts`,
        find: '  const index = jointCommitted(core.configuration, (id) => core.progress.get(id)?.match ?? 0);\n',
        replace: `  const matches = [...core.progress.values()].map(({ match }) => match).sort((a, b) => b - a);
  const index = matches[Math.floor(core.configuration.incoming.size / 2)] ?? 0;
`,
      },
    ],
  },
];
