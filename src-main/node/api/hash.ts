import type {
  HashKVRequest,
  HashKVResponse,
  HashRequest,
  HashResponse,
} from '../../proto/etcd/rpc.ts';
import type { CallContext } from '../rpc/service.ts';
import type { Backend } from './backend.ts';

/** What etcd answers as long as nothing was compacted. */
const NEVER_COMPACTED = -1;

export async function hash(
  backend: Backend,
  _request: HashRequest,
  { signal }: CallContext,
): Promise<HashResponse> {
  const sum = await backend.hash(signal);
  return { header: backend.header(sum.revision), hash: sum.hash };
}

export async function hashKv(
  backend: Backend,
  { revision }: HashKVRequest,
  { signal }: CallContext,
): Promise<HashKVResponse> {
  const sum = await backend.hashKv(revision, signal);
  return {
    header: backend.header(sum.revision),
    hash: sum.hash,
    compactRevision: sum.compactRevision === 0 ? NEVER_COMPACTED : sum.compactRevision,
    hashRevision: sum.hashRevision,
  };
}
