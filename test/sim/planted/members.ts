import type { PlantedBug } from './types.ts';

const SPLIT = [
  'one change at a time',
  'configuration',
  'commitment',
  'one vote',
  'election safety',
  'leader completeness',
  'state machine safety',
  'log matching',
  'fatal',
  'liveness',
];

/** Changes of the membership, snapshots, defragmentation. */
export const MEMBER_BUGS: readonly PlantedBug[] = [
  {
    name: 'removed-member-still-voting',
    breaks:
      'Members that do not lead go on with the old configuration, in which removed members vote',
    violates: SPLIT,
    edits: [
      {
        file: 'src-main/node/raft/membership.ts',
        find: "  core.configuration = configuration;\n  if (core.role !== 'leader') return;",
        replace: "  if (core.role !== 'leader') return;\n  core.configuration = configuration;",
      },
    ],
  },
  {
    name: 'conf-change-forgotten-at-restart',
    breaks:
      'A restart takes the configuration of the first members instead of the last one applied',
    violates: [...SPLIT, 'refused'],
    edits: [
      {
        file: 'src-main/node/server/bootstrap.ts',
        find: '  const confState = state.confState ?? group.snapshot.confState;',
        replace: '  const confState = group.snapshot.confState ?? state.confState;',
      },
    ],
  },
  {
    name: 'conf-change-applied-twice-after-restart',
    breaks: 'A restart applies the changes of the membership again that the state holds already',
    violates: [...SPLIT, 'refused'],
    edits: [
      {
        file: 'src-main/node/server/driver.ts',
        find: '    if (entry.index <= state.appliedIndex) return;\n',
        replace: `    if (entry.index <= state.appliedIndex) {
      if (entry.type === EntryType.CONF_CHANGE) this.#o.raft.applyConfChange(ConfChange.decode(entry.data));
      return;
    }
`,
      },
      {
        file: 'src-main/node/server/bootstrap.ts',
        find: '    entries: group.entries,\n    applied,\n',
        replace: '    entries: group.entries,\n    applied: group.snapshot.index,\n',
      },
    ],
  },
  {
    name: 'conf-change-before-the-last-one-is-applied',
    breaks:
      'A second change of the membership is proposed before the first one is applied (thesis 4.1)',
    violates: [...SPLIT, 'refused'],
    edits: [
      {
        file: 'src-main/node/raft/leader.ts',
        find: "  if (core.pendingConfIndex > core.log.applied) return 'confChangePending';\n",
        replace: '',
      },
    ],
  },
  {
    name: 'two-voters-change-at-once',
    breaks: 'Changes of two voters take effect at once, without a joint configuration (thesis 4.1)',
    violates: SPLIT,
    missed:
      'the API changes one voter at a time, so that no configuration is ever joint here; the tests and scenarios of the Raft core change several',
    edits: [
      {
        file: 'src-main/node/raft/confchange.ts',
        find: 'if (votersChanged(config, next) <= 1) return next;',
        replace: 'if (votersChanged(config, next) <= 9) return next;',
      },
    ],
  },
  {
    name: 'snapshot-named-by-older-index',
    breaks: 'A snapshot is named when it is asked for, and holds the state of when it is sent',
    violates: ['fatal', 'state machine safety', 'state hash'],
    edits: [
      {
        file: 'src-main/node/server/snapshots.ts',
        find: '      return startNow(this.#store.exportSnapshot());\n',
        replace: `      const store = this.#store;
      return (async function* late() {
        yield* store.exportSnapshot();
      })();
`,
      },
    ],
  },
  {
    name: 'state-not-reloaded-after-snapshot',
    breaks: 'After a snapshot was installed the leases and members in memory are the old ones',
    violates: ['fatal', 'state machine safety', 'liveness', 'lease: outlives'],
    edits: [
      {
        file: 'src-main/node/apply/state-machine.ts',
        find: '    this.#leases.load();\n',
        replace: '    if (this.#members.confState === undefined) this.#leases.load();\n',
      },
    ],
  },
  {
    name: 'snapshot-racing-defragment',
    breaks:
      "A defragmentation that runs beside the import of a snapshot brings the old state back (planted in the simulator's store, which stands for LMDB)",
    violates: ['refused', 'state hash', 'state machine safety', 'fatal', 'revision goes back'],
    edits: [
      {
        file: 'test/sim/sim-store.ts',
        find: `    await this.flush();
    await this.#exclusive(async () => {
      await this.#write(5, () => {});
      this.#durable.fileBytes = this.#liveBytes;
    });`,
        replace: `    const before = this.#durable.tables;
    const copy = copyTables(before);
    await this.#write(5, () => {});
    this.#durable.fileBytes = this.#liveBytes;
    if (this.#durable.tables !== before) this.#durable.tables = copy;`,
      },
    ],
  },
];
