/*
 * Our state as etcd's buckets. README.md in this folder names them. What etcd has and we have not
 * (users and roles) is left empty: etcd makes what it misses.
 */
import { compareBytes, idToHex } from '../../base/bytes.ts';
import { AlarmMember, type Member } from '../../proto/etcd/rpc.ts';
import { compactedRows } from '../mvcc/compacted-rows.ts';
import { Pacer } from '../mvcc/pacer.ts';
import type { Schedule } from '../mvcc/schedule.ts';
import {
  decodeApplied,
  decodeCompaction,
  META_APPLIED,
  META_CLUSTER_VERSION,
  META_COMPACTION,
} from '../storage/schema/meta.ts';
import { decodeIdKey, U64_BYTES, writeU64 } from '../storage/schema/numbers.ts';
import {
  decodeAlarmKey,
  decodeLease,
  decodeMember,
  encodeLease,
} from '../storage/schema/small-tables.ts';
import type { StateView } from '../storage/types.ts';
import { etcdKeyRow, etcdRevision } from './etcd-rows.ts';
import type { BoltBucket, BoltRow } from './writer.ts';

/** The row that says how far the log is applied. It differs between members of equal state. */
export const CONSISTENT_INDEX = 'consistent_index';
export const META_BUCKET = 'meta';

const NOTHING: Buffer = Buffer.alloc(0);

/** All buckets of etcd 3.4, in order. Each is read once, while the view is held. */
export function etcdBuckets(
  view: StateView,
  schedule: Schedule,
  signal?: AbortSignal,
): BoltBucket[] {
  const pacer = new Pacer(schedule, signal);
  return [
    { name: 'alarm', rows: alarmRows(view) },
    { name: 'auth', rows: [] },
    { name: 'authRoles', rows: [] },
    { name: 'authUsers', rows: [] },
    { name: 'cluster', rows: clusterRows(view) },
    { name: 'key', rows: keyRows(view, pacer) },
    { name: 'lease', rows: leaseRows(view, pacer) },
    { name: 'members', rows: memberRows(view) },
    { name: 'members_removed', rows: removedRows(view) },
    { name: META_BUCKET, rows: metaRows(view) },
  ];
}

async function* keyRows(view: StateView, pacer: Pacer): AsyncGenerator<BoltRow, undefined> {
  for await (const row of compactedRows(view, pacer)) yield etcdKeyRow(row);
  return undefined;
}

async function* leaseRows(view: StateView, pacer: Pacer): AsyncGenerator<BoltRow, undefined> {
  for (const { key, value } of view.range('leases', {})) {
    // Our record has the fields of etcd's leasepb.Lease under the same numbers.
    yield { key, value: encodeLease(decodeLease(value)) };
    if (pacer.spend(value.length)) await pacer.turn();
  }
  return undefined;
}

/** An alarm is its own key. */
function alarmRows(view: StateView): BoltRow[] {
  const alarms = Array.from(view.range('alarms', {}), ({ key }) => decodeAlarmKey(key));
  return sorted(
    alarms.map((alarm) => ({
      key: Buffer.from(AlarmMember.encode(alarm).finish()),
      value: NOTHING,
    })),
  );
}

function clusterRows(view: StateView): BoltRow[] {
  const version = view.get('meta', META_CLUSTER_VERSION);
  return version === undefined ? [] : [textRow('clusterVersion', version)];
}

function memberRows(view: StateView): BoltRow[] {
  const members = Array.from(view.range('members', {}), ({ value }) => value)
    .filter((value) => value.length > 0)
    .map((value) => decodeMember(value));
  return sorted(members.map((member) => textRow(idToHex(member.ID), memberJson(member))));
}

function removedRows(view: StateView): BoltRow[] {
  const removed = Array.from(view.range('members', {}))
    .filter(({ value }) => value.length === 0)
    .map(({ key }) => decodeIdKey(key));
  return sorted(removed.map((id) => textRow(idToHex(id), 'removed')));
}

/** etcd's own JSON. An id does not fit a number of JavaScript, so it is put in as text. */
function memberJson({ ID, name, peerURLs, clientURLs, isLearner }: Member): string {
  const rest = JSON.stringify({
    peerURLs,
    ...(isLearner && { isLearner }),
    ...(name !== '' && { name }),
    ...(clientURLs.length > 0 && { clientURLs }),
  });
  return `{"id":${ID},${rest.slice(1)}`;
}

function metaRows(view: StateView): BoltRow[] {
  const rows: BoltRow[] = [];
  const applied = view.get('meta', META_APPLIED);
  if (applied !== undefined) {
    const index = Buffer.alloc(U64_BYTES);
    writeU64(index, decodeApplied(applied).index, 0);
    rows.push(textRow(CONSISTENT_INDEX, index));
  }
  const compaction = view.get('meta', META_COMPACTION);
  const scheduled = compaction === undefined ? 0 : decodeCompaction(compaction).scheduled;
  if (scheduled > 0) {
    // The removal is done in what we write, whatever is left of it here.
    rows.push(textRow('finishedCompactRev', etcdRevision(scheduled, 0)));
    rows.push(textRow('scheduledCompactRev', etcdRevision(scheduled, 0)));
  }
  return rows;
}

function textRow(key: string, value: string | Buffer): BoltRow {
  return { key: Buffer.from(key), value: Buffer.from(value) };
}

function sorted(rows: BoltRow[]): BoltRow[] {
  return rows.sort((a, b) => compareBytes(a.key, b.key));
}
