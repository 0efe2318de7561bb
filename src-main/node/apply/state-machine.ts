import { assert } from '../../base/assert.ts';
import { CodedError } from '../../base/errors.ts';
import type {
  AlarmMember,
  Member,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from '../../proto/etcd/rpc.ts';
import type { InternalRequest, MembershipChange } from '../../proto/raftdeck/internal.ts';
import type { ConfChangeSingle_Type, ConfState } from '../../proto/raftdeck/raft.ts';
import { AlarmTable } from '../alarm/alarm-table.ts';
import { LeaseTable } from '../lease/lease-table.ts';
import { changeRefusal } from '../membership/change-check.ts';
import { MemberTable } from '../membership/member-table.ts';
import { Compactor } from '../mvcc/compaction.ts';
import { KvState } from '../mvcc/kv-state.ts';
import { rangeKeys } from '../mvcc/range.ts';
import type { Schedule } from '../mvcc/schedule.ts';
import { ReplayingWatchHub } from '../mvcc/watch-hub.ts';
import {
  type AppliedMeta,
  appliedSchemaVersion,
  decodeApplied,
  encodeApplied,
  META_APPLIED,
  META_CLUSTER_VERSION,
  SCHEMA_VERSION,
} from '../storage/schema/meta.ts';
import type { StateStore } from '../storage/types.ts';
import { applyRequest } from './apply-request.ts';
import type { ApplyContext } from './context.ts';
import { isNodeError } from './errors.ts';
import { readTxn } from './txn.ts';
import type {
  ApplyResult,
  LeaseEvents,
  LeaseView,
  NodeErrorCode,
  StateMachine,
  StateMachineOptions,
} from './types.ts';

/** A state machine whose caller may say which entries belong to one batch. */
export interface BatchingStateMachine extends StateMachine {
  /**
   * From here to `endBatch` the applied index is kept in memory, so that a batch of entries costs
   * one row of meta. The whole batch must be applied in one turn of the event loop, and the store
   * not be flushed within it.
   */
  beginBatch(): void;
  endBatch(): void;
}

export interface StateMachineExtras {
  /** How work that is done in slices (replay for watchers, counts) gets its turns. */
  schedule: Schedule;
}

/** The replicated state in `store`: what is there is continued, an empty store is at revision 1. */
export function createStateMachine(
  store: StateStore,
  _options: StateMachineOptions,
  extras: StateMachineExtras,
): BatchingStateMachine {
  return new StoredStateMachine(store, extras.schedule);
}

const NOTHING_APPLIED: AppliedMeta = { index: 0, term: 0, revision: 1, keyCount: 0 };

class StoredStateMachine implements BatchingStateMachine {
  readonly hub: ReplayingWatchHub;
  readonly #store: StateStore;
  readonly #kv: KvState;
  readonly #leases: LeaseTable;
  readonly #alarms: AlarmTable;
  readonly #members: MemberTable;
  readonly #compactor: Compactor;
  readonly #context: ApplyContext;
  readonly #listeners: LeaseEvents[] = [];
  #notices: ((events: LeaseEvents) => void)[] = [];
  #appliedIndex = 0;
  #appliedTerm = 0;
  #batching = false;

  constructor(store: StateStore, schedule: Schedule) {
    this.#store = store;
    this.#kv = new KvState(store, schedule);
    this.#leases = new LeaseTable(store);
    this.#alarms = new AlarmTable(store);
    this.#members = new MemberTable(store);
    this.#compactor = new Compactor(store, this.#kv);
    this.#context = {
      kv: this.#kv,
      leases: this.#leases,
      alarms: this.#alarms,
      members: this.#members,
      compactor: this.#compactor,
      onCommit: (notify) => this.#notices.push(notify),
    };
    this.#load();
    this.hub = new ReplayingWatchHub(this.#kv, schedule);
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  get appliedTerm(): number {
    return this.#appliedTerm;
  }

  get confState(): ConfState | undefined {
    return this.#members.confState;
  }

  get revision(): number {
    return this.#kv.revision;
  }

  get compactRevision(): number {
    return Math.max(this.#kv.compactRevision, 0);
  }

  get pendingCompaction(): number | undefined {
    return this.#compactor.pending;
  }

  apply(index: number, term: number, request: InternalRequest): ApplyResult {
    this.#advance(index, term);
    this.#kv.recordChanges = this.hub.hasSynced;
    let result: ApplyResult;
    try {
      const response = applyRequest(this.#context, request.request);
      result = { ok: true, response, revision: this.#kv.head };
    } catch (error) {
      if (!isNodeError(error)) throw error;
      assert(this.#kv.openChanges === 0, 'a refused request has changed the state');
      result = { ok: false, code: error.code, revision: this.#kv.revision };
    }
    this.#commit();
    return result;
  }

  applyEmpty(index: number, term: number): void {
    this.#advance(index, term);
    this.#save();
  }

  checkMembershipChange(
    change: MembershipChange,
    kind: ConfChangeSingle_Type,
  ): NodeErrorCode | undefined {
    return changeRefusal(this.#members, change, kind);
  }

  applyConfChange(
    index: number,
    term: number,
    confState: ConfState,
    member: Member | undefined,
  ): void {
    this.#advance(index, term);
    this.#members.change(confState, member);
    this.#save();
  }

  bootstrap(confState: ConfState, members: Member[], index: number, term: number): void {
    assert(this.#appliedIndex === 0, 'only a state that has applied nothing can be bootstrapped');
    this.#members.bootstrap(confState, members);
    this.#appliedIndex = index;
    this.#appliedTerm = term;
    this.#save();
  }

  beginBatch(): void {
    assert(!this.#batching, 'a batch is open already');
    this.#batching = true;
  }

  endBatch(): void {
    assert(this.#batching, 'no batch is open');
    this.#batching = false;
    this.#save();
  }

  range(request: RangeRequest): RangeResponse {
    return rangeKeys(this.#kv, request);
  }

  readOnlyTxn(request: TxnRequest): TxnResponse {
    return readTxn(this.#kv, request);
  }

  leases(): LeaseView[] {
    return this.#leases.list();
  }

  lease(id: bigint): LeaseView | undefined {
    return this.#leases.get(id);
  }

  leaseKeys(id: bigint): Buffer[] {
    return this.#leases.keys(id);
  }

  alarms(): AlarmMember[] {
    return this.#alarms.list();
  }

  members(): Member[] {
    return this.#members.list();
  }

  isRemoved(memberId: bigint): boolean {
    return this.#members.isRemoved(memberId);
  }

  clusterVersion(): string | undefined {
    return this.#store.get('meta', META_CLUSTER_VERSION)?.toString();
  }

  onLeaseEvents(listener: LeaseEvents): void {
    this.#listeners.push(listener);
  }

  compactSlice(maxRows: number): boolean {
    assert(!this.#batching, 'a slice of compaction is no part of a batch');
    const more = this.#compactor.slice(maxRows);
    this.#store.endBatch();
    return more;
  }

  compactionFinished(revision: number): Promise<void> {
    return this.#compactor.whenFinished(revision);
  }

  reload(): void {
    this.#load();
    this.hub.reload();
  }

  #advance(index: number, term: number): void {
    const at = `entry ${index} after ${this.#appliedIndex}`;
    assert(index > this.#appliedIndex, `${at}: it is applied already`);
    assert(term >= this.#appliedTerm, `${at}: term ${term} after ${this.#appliedTerm}`);
    this.#appliedIndex = index;
    this.#appliedTerm = term;
  }

  /**
   * Ends the request: its revision, if it took one, its row of meta, and only then whoever waits
   * for it.
   */
  #commit(): void {
    const before = this.#kv.revision;
    const changes = this.#kv.commit();
    this.#save();
    if (this.#notices.length > 0) {
      for (const notify of this.#notices.splice(0)) for (const one of this.#listeners) notify(one);
    }
    if (this.#kv.revision > before) this.hub.publish(this.#kv.revision, changes);
  }

  #save(): void {
    if (this.#batching) return;
    const applied = encodeApplied({
      index: this.#appliedIndex,
      term: this.#appliedTerm,
      revision: this.#kv.revision,
      keyCount: this.#kv.counts.total,
    });
    this.#store.put('meta', META_APPLIED, applied);
    this.#store.endBatch();
  }

  #load(): void {
    const applied = readApplied(this.#store);
    this.#appliedIndex = applied.index;
    this.#appliedTerm = applied.term;
    this.#leases.load();
    this.#alarms.load();
    this.#members.load();
    this.#compactor.load();
    this.#kv.reset(applied.revision, this.#compactor.scheduled, applied.keyCount);
  }
}

function readApplied(store: StateStore): AppliedMeta {
  const row = store.get('meta', META_APPLIED);
  if (row === undefined) return NOTHING_APPLIED;
  const version = appliedSchemaVersion(row);
  if (version === SCHEMA_VERSION) return decodeApplied(row);
  throw new CodedError(
    'StateCorrupt',
    `the state is in format ${version}, this version knows ${SCHEMA_VERSION}`,
    { hint: 'Start the version that wrote it, or remove this member and let it rejoin.' },
  );
}
