import type { PlantedBug } from './types.ts';

const WAL = 'src-main/node/wal';
const SERVER = 'src-main/node/server';

const LOST = [
  'kept: acknowledged entries',
  'kept: term',
  'one vote',
  'commitment',
  'bit rot',
  'leader completeness',
  'election safety',
  'log matching',
  'state machine safety',
  'fatal',
  'refused',
  'linearizable: origin',
  'linearizable: answer',
  'linearizable: stale read',
  'linearizable: write order',
  'raft: never back',
];

/** The write-ahead log and the disk below it. */
export const LOG_BUGS: readonly PlantedBug[] = [
  {
    name: 'folder-not-synced-at-rotation',
    breaks: 'A new log segment takes entries before its name is on the disk',
    violates: LOST,
    edits: [
      {
        file: `${WAL}/wal.ts`,
        find: '      await this.#files.rename(temporary, path);\n      await this.#files.syncFolder(this.#dir);\n',
        replace: '      await this.#files.rename(temporary, path);\n',
      },
    ],
  },
  {
    name: 'segment-named-before-it-is-synced',
    breaks: 'A new log segment gets its name before its first record is on the disk',
    violates: LOST,
    edits: [
      {
        file: `${WAL}/wal.ts`,
        find: '      await writeAll(file, whole, 0);\n      await file.datasync();\n',
        replace: '      await writeAll(file, whole, 0);\n',
      },
    ],
  },
  {
    name: 'rotation-forgets-hard-state',
    breaks: 'A new log segment does not repeat term and vote, and the old ones are released',
    violates: LOST,
    edits: [
      {
        file: `${WAL}/wal.ts`,
        find: 'return { group, hardState, ...(snapshot === undefined ? {} : { snapshot }) };',
        replace: 'return { group, ...(snapshot === undefined ? {} : { snapshot }) };',
      },
      // Else nearly every record says it anew, because the commit index has moved.
      {
        file: 'src-main/node/raft/node.ts',
        find: 'state.vote === handed.vote && state.commit === handed.commit;',
        replace: 'state.vote === handed.vote;',
      },
    ],
  },
  {
    name: 'torn-tail-not-cut',
    breaks: 'After a crash the log goes on behind the torn record instead of in its place',
    violates: LOST,
    edits: [
      {
        file: `${WAL}/recover.ts`,
        find: '  return { torn: rest, lastRecordAt };',
        replace: `  segment.bytes = at + Math.ceil(rest / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  return { torn: rest, lastRecordAt };`,
      },
      {
        file: `${WAL}/recover.ts`,
        find: 'const bytes = Buffer.from(content.subarray(lastRecordAt, segment.bytes));',
        replace:
          'const bytes = Buffer.from(recordAt(content, lastRecordAt, sequence) ?? Buffer.alloc(0));',
      },
    ],
  },
  {
    name: 'torn-tail-believed',
    breaks: "The last record's checksum is not compared, so that a torn one is taken for whole",
    violates: LOST,
    edits: [
      {
        file: `${WAL}/format.ts`,
        find: '  if (record.readUInt32LE(12) !== recordCrc(record, sequence, offset)) return undefined;\n',
        replace: '',
      },
    ],
  },
  {
    name: 'last-record-not-written-anew',
    breaks: 'A restart acts upon a last record that only the page cache holds',
    violates: LOST,
    edits: [
      {
        file: `${WAL}/wal.ts`,
        find: '      await writeAll(file, lastRecord.bytes, lastRecord.position);\n',
        replace: '',
      },
    ],
  },
  {
    name: 'failed-sync-taken-for-done',
    breaks: 'An fdatasync that fails is tried again and then believed (PostgreSQL, 2018)',
    violates: LOST,
    edits: [
      {
        file: `${WAL}/wal.ts`,
        find: '      await file.datasync();\n      segment.bytes += record.length;',
        replace: `      await file.datasync().catch(() => file.datasync()).catch(() => {});
      segment.bytes += record.length;`,
      },
    ],
  },
  {
    name: 'segment-released-too-early',
    breaks: 'A log segment goes although the newest mark does not cover all of its entries',
    violates: LOST,
    edits: [
      {
        file: `${WAL}/wal.ts`,
        find: 'if (lastIndex > (this.#groups.get(group)?.snapshot?.index ?? 0)) return false;',
        replace:
          'if (lastIndex > (this.#groups.get(group)?.snapshot?.index ?? 0) + 20) return false;',
      },
    ],
  },
  {
    name: 'log-compacted-before-state-is-durable',
    breaks: 'Log entries go before the state that holds their outcome is on the disk',
    violates: LOST,
    edits: [
      {
        file: `${SERVER}/log-compactor.ts`,
        find: '      await store.flush();\n',
        replace: '',
      },
      {
        file: `${SERVER}/log-compactor.ts`,
        find: 'const keep = Math.min(CATCH_UP_ENTRIES, snapshotCount);',
        replace: 'const keep = 1;',
      },
    ],
  },
  {
    name: 'snapshot-marked-before-import',
    breaks: 'The log says that a snapshot is installed before the state holds it',
    violates: LOST,
    edits: [
      {
        file: `${SERVER}/driver.ts`,
        find: '    await this.#o.installSnapshot(meta, () => state.reload());\n',
        replace: `    const early = { index: meta.index, term: meta.term, confState: meta.confState };
    await this.persist({ batch: { group, snapshot: early }, messages: [] });
    await this.#o.installSnapshot(meta, () => state.reload());
`,
      },
    ],
  },
  {
    name: 'folder-mark-not-synced',
    breaks: 'The file that marks a data folder is synced and its name is not',
    violates: LOST,
    edits: [
      {
        file: `${SERVER}/data-dir.ts`,
        find: '  await files.syncFolder(dir);\n',
        replace: '',
      },
    ],
  },
];
