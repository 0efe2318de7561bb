/*
 * Tables `leases`, `leaseKeys`, `alarms` and `members`. See README.md for the layouts and worked
 * examples.
 */
import { type AlarmMember, type AlarmType, Member } from '../../../proto/etcd/rpc.ts';
import { LeaseRecord } from '../../../proto/raftdeck/internal.ts';
import { decodeRow } from './corrupt-row.ts';
import { idKey, U32_BYTES, U64_BYTES } from './numbers.ts';

/**
 * The value of rows that say everything in their key. Not empty, so that it cannot be taken for a
 * missing one.
 */
export const PRESENT: Buffer = Buffer.from([1]);

export function encodeLease(record: LeaseRecord): Buffer {
  return Buffer.from(LeaseRecord.encode(record).finish());
}

export function decodeLease(row: Buffer): LeaseRecord {
  return decodeRow('a lease', row, undefined, () => LeaseRecord.decode(row));
}

/** Lease id, then the user key as it is: the keys of one lease lie together, in key order. */
export function leaseKeyKey(lease: bigint, key: Uint8Array): Buffer {
  const row = Buffer.allocUnsafe(U64_BYTES + key.length);
  row.writeBigUInt64BE(BigInt.asUintN(64, lease));
  row.set(key, U64_BYTES);
  return row;
}

/** A view of the row's key, not a copy. */
export function leaseKeyUserKey(row: Buffer): Buffer {
  return row.subarray(U64_BYTES);
}

/** Bounds of the rows of one lease in `leaseKeys`. */
export function leaseKeyBounds(lease: bigint): { gte: Buffer; lt?: Buffer } {
  const next = BigInt.asUintN(64, lease) + 1n;
  const gte = idKey(lease);
  return next > 0xffff_ffff_ffff_ffffn ? { gte } : { gte, lt: idKey(next) };
}

export function alarmKey({ memberID, alarm }: AlarmMember): Buffer {
  const row = Buffer.allocUnsafe(U64_BYTES + U32_BYTES);
  row.writeBigUInt64BE(memberID);
  // Whatever number a client sent: a type that we do not know must not stop the apply.
  row.writeInt32BE(alarm, U64_BYTES);
  return row;
}

export function decodeAlarmKey(row: Buffer): AlarmMember {
  return decodeRow('an alarm', row, U64_BYTES + U32_BYTES, () => ({
    memberID: row.readBigUInt64BE(),
    alarm: row.readInt32BE(U64_BYTES) as AlarmType,
  }));
}

export function encodeMember(member: Member): Buffer {
  return Buffer.from(Member.encode(member).finish());
}

export function decodeMember(row: Buffer): Member {
  return decodeRow('a member', row, undefined, () => Member.decode(row));
}
