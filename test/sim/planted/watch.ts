import type { PlantedBug } from './types.ts';

const HUB = 'src-main/node/mvcc/watch-hub.ts';
const STREAM = 'src-main/node/api/watch-stream.ts';
const EVENTS = 'src-main/node/mvcc/events.ts';

const LOSES = [
  'watch: reliable',
  'watch: resumable',
  'watch: bookmarkable',
  'watch: atomic',
  'liveness',
];

/** Watches. */
export const WATCH_BUGS: readonly PlantedBug[] = [
  {
    name: 'progress-ahead-of-events',
    breaks:
      'A progress notification says that events were delivered which are still to come (etcd 15220)',
    violates: ['watch: bookmarkable', 'watch: reliable', 'watch: resumable'],
    edits: [
      {
        file: STREAM,
        find: 'watcher.progressRevision >= revision &&',
        replace: '',
      },
    ],
  },
  {
    name: 'progress-rewinds-future-watch',
    breaks: 'A watch of a future revision is told of a progress before its start',
    violates: ['watch: bookmarkable', 'watch: ordered', 'watch: resumable', 'watch: reliable'],
    edits: [
      {
        file: STREAM,
        find: 'watcher.progressRevision >= revision && startRevision <= revision + 1',
        replace: 'watcher.progressRevision >= revision && startRevision >= 0',
      },
    ],
  },
  {
    name: 'watch-loses-events-after-snapshot',
    breaks: 'After a snapshot was installed watchers go on with what comes next (etcd 3.0)',
    violates: LOSES,
    edits: [
      {
        file: HUB,
        find: "      watcher.nextRevision = Math.max(watcher.nextRevision, this.#delivered + 1);\n      this.#move(watcher, 'unsynced');\n",
        replace: '      watcher.nextRevision = Math.max(watcher.nextRevision, 1);\n',
      },
    ],
  },
  {
    name: 'watch-loses-events-when-slow',
    breaks: 'A watcher whose client was slow goes on with what comes next',
    violates: LOSES,
    edits: [
      {
        file: HUB,
        find: "if (watcher.state === 'held') this.#move(watcher, 'unsynced');",
        replace: "if (watcher.state === 'held') this.#move(watcher, 'synced');",
      },
    ],
  },
  {
    name: 'watch-loses-events-when-starved',
    breaks:
      'A watcher that catches up in several slices skips what did not fit into the first (etcd 19179)',
    violates: LOSES,
    edits: [
      {
        file: HUB,
        find: '      watcher.nextRevision = upTo + 1;\n',
        replace: '      watcher.nextRevision = this.#kv.revision + 1;\n',
      },
    ],
  },
  {
    name: 'watch-loses-events-at-compaction',
    breaks: 'A watcher whose next revision is compacted goes on behind it instead of being told',
    violates: LOSES,
    edits: [
      {
        file: HUB,
        find: "        this.#move(watcher, 'closed');\n        watcher.sink.compacted(compactRevision);\n",
        replace: '        watcher.nextRevision = compactRevision;\n        return watcher;\n',
      },
    ],
  },
  {
    name: 'watch-splits-a-revision',
    breaks: 'A slice of replay ends within a revision, whose rest is skipped',
    violates: ['watch: atomic', ...LOSES],
    edits: [
      {
        file: HUB,
        find: 'if (full && main !== last) return { upTo: last, lastEvents };',
        replace: 'if (full) return { upTo: main, lastEvents };',
      },
    ],
  },
  {
    name: 'future-watch-gets-old-events',
    breaks: 'A watch that starts at a future revision gets events from before it',
    violates: ['watch: ordered', 'watch: resumable', 'watch: unique', 'watch: reliable'],
    edits: [
      {
        file: HUB,
        find: '        if (watcher.nextRevision > revision) return;\n',
        replace: '',
      },
    ],
  },
  {
    name: 'replay-and-live-events-twice',
    breaks:
      'A watcher that catches up gets the last revision from the replay and once more as it is applied',
    violates: ['watch: unique', 'watch: resumable', 'watch: ordered'],
    edits: [
      {
        file: HUB,
        find: "      if (watcher.state === 'unsynced' && upTo >= this.#kv.revision) this.#move(watcher, 'synced');",
        replace:
          "      if (watcher.state === 'unsynced' && upTo >= this.#kv.revision - 1) watcher.nextRevision = upTo;\n      if (watcher.state === 'unsynced' && upTo >= this.#kv.revision) this.#move(watcher, 'synced');",
      },
    ],
  },
  {
    name: 'prev-kv-of-another-key',
    breaks: "A replayed event's previous value is that of the transaction's first key",
    // The row of another key need not have what is looked for in it.
    violates: ['watch: prev_kv', 'uncaught error'],
    edits: [
      {
        file: EVENTS,
        find: 'revisionKey(main, previousSub(this.#row))',
        replace: 'revisionKey(main, 0)',
      },
    ],
  },
  {
    name: 'prev-kv-is-the-new-one',
    breaks: 'The previous value of an event is the key as it is now',
    violates: ['watch: prev_kv'],
    edits: [
      {
        file: EVENTS,
        find: '    return keyValueOf(key, previous);',
        replace: '    return keyValueOf(key, this.#kv.currentRow(key) ?? previous);',
      },
    ],
  },
  {
    name: 'filter-forgotten-in-replay',
    breaks: 'A watcher that catches up gets the deletions that it did not ask for',
    violates: ['watch: filter'],
    edits: [
      {
        file: 'src-main/node/mvcc/hub-watcher.ts',
        find: 'change.isDelete ? this.#spec.noDelete : this.#spec.noPut',
        replace:
          "change.isDelete ? this.state === 'synced' && this.#spec.noDelete : this.#spec.noPut",
      },
    ],
  },
];
