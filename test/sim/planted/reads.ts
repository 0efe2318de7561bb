import type { PlantedBug } from './types.ts';

const STALE = [
  'linearizable: stale read',
  'linearizable: search',
  'linearizable: answer',
  'revisions: client',
];

/** Linearizable reads. */
export const READ_BUGS: readonly PlantedBug[] = [
  {
    name: 'read-without-readindex',
    breaks: 'A linearizable read is served from local state',
    violates: STALE,
    edits: [
      {
        file: 'src-main/node/api/kv.ts',
        find: '    if (!request.serializable) await this.#backend.linearizableRead();\n',
        replace: '',
      },
    ],
  },
  {
    name: 'stale-read-after-pause',
    breaks: 'A leader that was paused or cut off answers reads by itself, without asking a quorum',
    violates: STALE,
    edits: [
      {
        file: 'src-main/node/raft/replication.ts',
        find: '  core.reads.start(core.log.commit);\n  confirmReads(core);\n',
        replace: `  core.reads.start(core.log.commit);
  for (const round of core.reads.confirm(core.reads.newest)) {
    for (const read of round.reads) core.answerRead(read.from, read.context, round.index);
  }
`,
      },
    ],
  },
  {
    name: 'readindex-before-commit-in-term',
    breaks: 'A new leader answers reads before it has committed an entry of its term (thesis 6.4)',
    violates: STALE,
    edits: [
      {
        file: 'src-main/node/raft/replication.ts',
        find: "core.role === 'leader' && core.reads.canStart && core.committedInTerm;",
        replace: "core.role === 'leader' && core.reads.canStart;",
      },
    ],
  },
  {
    name: 'read-before-applied-index',
    breaks: 'A read does not wait until its index is applied',
    violates: STALE,
    edits: [
      {
        file: 'src-main/node/server/reads.ts',
        find: '} else if (index <= applied) {',
        replace: '} else if (index <= applied + 1000) {',
      },
    ],
  },
  {
    name: 'late-answer-to-a-read-believed',
    breaks: 'The answer to a round of reads that was given up counts for the next one',
    violates: STALE,
    edits: [
      {
        file: 'src-main/node/server/reads.ts',
        find: 'if (round === undefined || round.context !== context) return;',
        replace: 'if (round === undefined) return;',
      },
    ],
  },
];
