import { MAX_VARINT_BYTES, varintBytes, writeVarint, writeVarint64 } from '../../base/varint.ts';
import type { ResponseHeader } from '../../proto/etcd/rpc.ts';

const TAG_HEADER = 0x0a;
const TAG_CLUSTER_ID = 0x08;
const TAG_MEMBER_ID = 0x10;
const TAG_REVISION = 0x18;
const TAG_RAFT_TERM = 0x20;

/** A field of a number, at most. */
export const NUMBER_FIELD_BYTES: number = 1 + MAX_VARINT_BYTES;
/** A header as a field of an answer, at most. */
export const HEADER_FIELD_BYTES: number = 2 + 4 * NUMBER_FIELD_BYTES;

/** Writes the header of an answer as its field 1. Cluster and member hardly ever change: they are encoded once. */
export class HeaderWriter {
  #clusterId = 0n;
  #memberId = 0n;
  #ids: Buffer = Buffer.alloc(0);

  /** Answers where the next field starts. */
  write(bytes: Buffer, start: number, header: ResponseHeader): number {
    const { clusterId, memberId, revision, raftTerm } = header;
    if (clusterId !== this.#clusterId || memberId !== this.#memberId) this.#encodeIds(header);
    const length = this.#ids.length + numberBytes(revision) + numberBytes(raftTerm);
    bytes[start] = TAG_HEADER;
    // At most 44, so its length is one byte.
    bytes[start + 1] = length;
    bytes.set(this.#ids, start + 2);
    const at = writeNumber(bytes, TAG_REVISION, revision, start + 2 + this.#ids.length);
    return writeNumber(bytes, TAG_RAFT_TERM, raftTerm, at);
  }

  #encodeIds({ clusterId, memberId }: ResponseHeader): void {
    this.#clusterId = clusterId;
    this.#memberId = memberId;
    const bytes = Buffer.alloc(2 * NUMBER_FIELD_BYTES);
    const at = writeId(bytes, TAG_CLUSTER_ID, clusterId, 0);
    this.#ids = bytes.subarray(0, writeId(bytes, TAG_MEMBER_ID, memberId, at));
  }
}

function writeId(bytes: Buffer, tag: number, id: bigint, at: number): number {
  if (id === 0n) return at;
  bytes[at] = tag;
  return writeVarint64(bytes, Number(id >> 32n), Number(BigInt.asUintN(32, id)), at + 1);
}

/** Bytes of a field whose tag has one byte; protobuf leaves zero out. */
export function numberBytes(value: number): number {
  return value === 0 ? 0 : 1 + varintBytes(value);
}

export function writeNumber(bytes: Buffer, tag: number, value: number, at: number): number {
  if (value === 0) return at;
  bytes[at] = tag;
  return writeVarint(bytes, value, at + 1);
}
