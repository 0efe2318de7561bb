import type { PlantedBug } from './types.ts';

const APPLY = 'src-main/node/apply';
const MVCC = 'src-main/node/mvcc';
const SERVER = 'src-main/node/server';

const WRONG_ANSWER = [
  'linearizable: answer',
  'linearizable: search',
  'linearizable: origin',
  'linearizable: once',
];
const DIVERGED = ['state machine safety', 'state hash', 'raft: state machine safety', 'fatal'];

/** Applying entries, transactions, history and its compaction. */
export const STATE_BUGS: readonly PlantedBug[] = [
  {
    name: 'applied-index-apart-from-data',
    breaks: 'The applied index reaches the disk in another transaction than the data (etcd 13766)',
    violates: [...DIVERGED, ...WRONG_ANSWER],
    edits: [
      {
        file: `${APPLY}/state-machine.ts`,
        find: "    this.#store.put('meta', META_APPLIED, applied);\n    this.#store.endBatch();",
        replace: `    const save = () => {
      this.#store.put('meta', META_APPLIED, applied);
      this.#store.endBatch();
    };
    if (this.#appliedIndex <= 1) save();
    else this.#store.flush().then(save).catch(() => {});`,
      },
    ],
  },
  {
    name: 'data-apart-from-applied-index',
    breaks:
      'The applied index is on the disk before the data that it speaks of (etcd 3.5.0 to 3.5.2)',
    violates: [...DIVERGED, ...WRONG_ANSWER, 'revision goes back'],
    edits: [
      {
        file: `${APPLY}/state-machine.ts`,
        find: '    this.#appliedIndex = index;\n    this.#appliedTerm = term;\n  }',
        replace: `    this.#appliedIndex = index;
    this.#appliedTerm = term;
    // The old revision and the new index.
    const numbers = { index, term, revision: this.#kv.revision, keyCount: this.#kv.counts.total };
    this.#store.put('meta', META_APPLIED, encodeApplied(numbers));
    if (index % 16 === 0) this.#store.flush().catch(() => {});
  }`,
      },
    ],
  },
  {
    name: 'compaction-drops-tombstone-still-needed',
    breaks:
      'A compaction removes the tombstone at its very revision, which a watch may start at (etcd 18089)',
    violates: ['watch: reliable', 'watch: resumable', 'watch: bookmarkable', 'liveness'],
    edits: [
      {
        file: `${MVCC}/compaction.ts`,
        find: 'if (isDelete(value) && at.main < target) this.#remove(userKey, at);',
        replace: 'if (isDelete(value) && at.main <= target) this.#remove(userKey, at);',
      },
      {
        file: `${MVCC}/compacted-rows.ts`,
        find: 'if (isDelete(value)) return main < scheduled;',
        replace: 'if (isDelete(value)) return main <= scheduled;',
      },
    ],
  },
  {
    name: 'hash-depends-on-compaction-progress',
    breaks: 'The sum over the history depends on how far a compaction has come (etcd 15919)',
    violates: ['state hash', 'corrupt alarm', 'raft: equal hashes'],
    edits: [
      {
        file: `${MVCC}/hash.ts`,
        find: '    if (isDelete(value)) return false;\n',
        replace: '    if (isDelete(value)) return true;\n',
      },
    ],
  },
  {
    name: 'compaction-one-too-far',
    breaks: 'A compaction removes the version that is still to be read at its revision',
    violates: [
      'linearizable: answer',
      'serializable-reads: header',
      'state hash',
      'watch: prev_kv',
      'fatal',
    ],
    edits: [
      {
        file: `${MVCC}/compaction.ts`,
        find: '? { gt: revisionKey(cursorMain, cursorSub), lt: revisionKey(target + 1, 0) }',
        replace: '? { gt: revisionKey(cursorMain, cursorSub), lt: revisionKey(target + 2, 0) }',
      },
      {
        file: `${MVCC}/compaction.ts`,
        find: '{ gte: revisionKey(finished, 0), lt: revisionKey(target + 1, 0) };',
        replace: '{ gte: revisionKey(finished, 0), lt: revisionKey(target + 2, 0) };',
      },
      {
        file: `${MVCC}/compacted-rows.ts`,
        find: 'replacedAt(view, revisionUserKey(value), main, revisionSub(key)) <= scheduled;',
        replace:
          'replacedAt(view, revisionUserKey(value), main, revisionSub(key)) <= scheduled + 1;',
      },
    ],
  },
  {
    name: 'revision-reset-after-crash-in-compaction',
    breaks:
      'A restart takes the last row of the history for the revision, which a compaction may have removed (etcd 17780)',
    violates: [
      'state machine safety',
      'revisions: member',
      'raft: state machine safety',
      'watch: reliable',
      'fatal',
    ],
    edits: [
      {
        file: `${MVCC}/compaction.ts`,
        find: 'if (isDelete(value) && at.main < target) this.#remove(userKey, at);',
        replace: 'if (isDelete(value) && at.main <= target) this.#remove(userKey, at);',
      },
      {
        file: `${MVCC}/compacted-rows.ts`,
        find: 'if (isDelete(value)) return main < scheduled;',
        replace: 'if (isDelete(value)) return main <= scheduled;',
      },
      {
        file: `${APPLY}/state-machine.ts`,
        find: '    this.#kv.reset(applied.revision, this.#compactor.scheduled, applied.keyCount);',
        replace: `    let revision = 1;
    for (const { key } of this.#store.range('revisions', { reverse: true })) {
      revision = Number(key.readBigUInt64BE(0));
      break;
    }
    this.#kv.reset(revision, this.#compactor.scheduled, applied.keyCount);`,
      },
    ],
  },
  {
    name: 'compacted-read-in-txn-diverges',
    breaks:
      'Whether a transaction may read an old revision depends on how far this member has removed it',
    violates: [...DIVERGED, 'linearizable: answer', 'revisions: compacted'],
    edits: [
      {
        file: `${MVCC}/compaction.ts`,
        find: '    this.#save();\n    this.#kv.compactRevision = revision;',
        replace: '    this.#save();',
      },
      {
        file: `${MVCC}/compaction.ts`,
        find: '    if (end) this.#meta = { ...this.#meta, running: 0, finished: target };',
        replace: `    if (end) this.#kv.compactRevision = target;
    if (end) this.#meta = { ...this.#meta, running: 0, finished: target };`,
      },
      {
        file: `${MVCC}/range.ts`,
        find: "    assert(found !== undefined, 'a version that is not compacted is missing');\n",
        replace: '    if (found === undefined) continue;\n',
      },
    ],
  },
  {
    name: 'txn-fails-after-a-write',
    breaks:
      'A transaction finds out that a revision is compacted after it has written (etcd 18667)',
    violates: ['fatal', ...DIVERGED],
    edits: [
      {
        file: `${APPLY}/txn.ts`,
        find: '  checkPuts(context, plan);\n  checkReads(context.kv, plan);\n',
        replace: '  checkPuts(context, plan);\n',
      },
    ],
  },
  {
    name: 'cas-compares-wrong-revision',
    breaks: 'A compare of the modification revision looks at the revision of creation',
    violates: WRONG_ANSWER,
    edits: [
      {
        file: `${APPLY}/compare.ts`,
        find: 'sign(row && currentMod(row), union',
        replace: 'sign(row && currentCreate(row), union',
      },
    ],
  },
  {
    name: 'serializable-read-mixes-revisions',
    breaks: 'A range is read in two parts, between which the state may move on',
    violates: ['serializable-reads: mixed', 'serializable-reads: header', ...WRONG_ANSWER],
    edits: [
      {
        file: 'src-main/node/api/kv.ts',
        find: '    const response = this.#backend.state.range(request);\n    return { ...response, header: this.#backend.header() };',
        replace: `    const response = this.#backend.state.range(request);
    if (response.kvs.length < 2) return { ...response, header: this.#backend.header() };
    await new Promise<void>((resolve) => {
      this.#backend.state.hub;
      Promise.resolve().then(() => this.#backend.linearizableRead()).then(resolve, resolve);
    });
    const rest = this.#backend.state.range(request);
    const middle = response.kvs.length >> 1;
    const kvs = [...response.kvs.slice(0, middle), ...rest.kvs.slice(middle)];
    return { ...response, kvs, count: kvs.length, header: this.#backend.header() };`,
      },
    ],
  },
  {
    name: 'proposal-applied-twice-on-retry',
    breaks:
      'A request that waits is proposed again when the leader changes, although it may be in the log',
    violates: [
      'linearizable: once',
      'linearizable: search',
      'linearizable: answer',
      'linearizable: origin',
    ],
    edits: [
      {
        file: `${SERVER}/driver.ts`,
        find: "    if (result !== 'ok' && result !== 'forwarded') proposals.putBack(data);",
        replace: `    if (result !== 'ok' && result !== 'forwarded') proposals.putBack(data);
    else this.lastProposed = data;`,
      },
      {
        file: `${SERVER}/driver.ts`,
        find: '    this.#o.onLeadership(leader, role, term);',
        replace: `    if (leader !== 0n) this.#o.proposals.putBack(this.lastProposed.splice(0));
    this.#o.onLeadership(leader, role, term);`,
      },
      {
        file: `${SERVER}/driver.ts`,
        find: '  #leader = 0n;\n',
        replace: '  #leader = 0n;\n  lastProposed: Buffer[] = [];\n',
      },
    ],
  },
  {
    name: 'quota-alarm-not-replicated',
    breaks: 'A member that is full refuses by itself and tells nobody',
    violates: ['quota: no put past an alarm', 'quota: no put past a refusal'],
    edits: [
      {
        file: `${SERVER}/quota-gate.ts`,
        find: '    await this.#raiseAlarm();\n',
        replace: '',
      },
    ],
  },
  {
    name: 'alarm-ignored-in-apply',
    breaks:
      'Puts that were proposed before an alarm was known to their member are applied behind it',
    violates: ['quota: no put past a refusal', 'quota: no put past an alarm'],
    edits: [
      {
        file: `${APPLY}/gate.ts`,
        find: '  if (alarms.isActive(AlarmType.NOSPACE) && grows(request)) throw',
        replace: '  if (alarms.list().length > 1 && grows(request)) throw',
      },
    ],
  },
  {
    name: 'restart-overlooks-last-tombstone',
    breaks:
      'A restart takes the last put for the newest revision, and so uses that of a deletion again',
    violates: ['state machine safety', 'revisions: member', 'raft: state machine safety', 'fatal'],
    edits: [
      {
        file: `${APPLY}/state-machine.ts`,
        find: '    this.#kv.reset(applied.revision, this.#compactor.scheduled, applied.keyCount);',
        replace: `    let revision = 1;
    for (const { key, value } of this.#store.range('revisions', { reverse: true })) {
      if (value[0] !== 1) continue;
      revision = Number(key.readBigUInt64BE(0));
      break;
    }
    this.#kv.reset(revision, this.#compactor.scheduled, applied.keyCount);`,
      },
    ],
  },
];
