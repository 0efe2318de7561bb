import type { AlarmTable } from '../alarm/alarm-table.ts';
import type { LeaseTable } from '../lease/lease-table.ts';
import type { MemberTable } from '../membership/member-table.ts';
import type { Compactor } from '../mvcc/compaction.ts';
import type { KvState } from '../mvcc/kv-state.ts';
import type { LeaseEvents } from './types.ts';

/**
 * The parts of the replicated state that applying a request may read and change. A handler checks
 * everything before its first write: it throws a NodeError and has changed nothing, or it succeeds.
 * It knows no clock and looks at nothing that may differ between members (file sizes, flags, how
 * far a removal has come).
 */
export interface ApplyContext {
  readonly kv: KvState;
  readonly leases: LeaseTable;
  readonly alarms: AlarmTable;
  readonly members: MemberTable;
  readonly compactor: Compactor;
  /** Tells the leader's expiry clock, after the request is committed. */
  onCommit(notify: (events: LeaseEvents) => void): void;
}
