import { createHash } from 'node:crypto';
import type { SnapshotItem } from '../contract/storage-tools.ts';
import { MaintenanceService, SnapshotRequest } from '../proto/etcd/rpc.ts';
import { toRemoteError } from '../remote/errors.ts';
import type { Cluster } from './cluster.ts';
import { failure } from './errors.ts';
import type { StreamSink, StreamSource, Weight } from './stream.ts';

const DIGEST_BYTES = 32;
/** A database is whole pages; what stands behind them is the digest. */
const PAGE_BYTES = 512;

export function weighSnapshotItem(item: SnapshotItem): Weight {
  return { count: 1, bytes: item.kind === 'chunk' ? item.bytes.length : 0 };
}

/**
 * Maintenance.Snapshot of the member that is named, else of one that is not the leader where there
 * is one. What arrives is summed up on the way, so that a file that was damaged on the wire is known
 * before anybody trusts it.
 */
export function openSnapshot(
  cluster: Pick<Cluster, 'monitor' | 'etcd'>,
  wanted: string | undefined,
  sink: StreamSink<SnapshotItem>,
): StreamSource {
  const { nodes } = cluster.monitor.overview();
  const up = nodes.filter((node) => node.error === null && node.dbSizeBytes !== null);
  const node =
    wanted === undefined
      ? (up.find(({ role }) => role === 'follower') ?? up[0])
      : nodes.find(({ name }) => name === wanted);
  if (node === undefined) throw failure('Unavailable', 'no member answers');
  const { name, clientUrl } = node;
  const channel = cluster.etcd.openChannel(clientUrl);
  const call = channel.serverStream(MaintenanceService.snapshot, SnapshotRequest.create());
  const sum = new TrailingDigest();
  let isOpen = false;
  call.on('data', ({ blob, remainingBytes, version }) => {
    if (!isOpen) {
      isOpen = true;
      const totalBytes = blob.length + remainingBytes;
      // etcd tells its version since 3.5 alone.
      sink.push({ kind: 'opened', node: name, totalBytes, version: version || null });
    }
    if (blob.length === 0) return;
    sum.push(blob);
    sink.push({ kind: 'chunk', bytes: blob });
  });
  call.on('end', () => {
    channel.dispose();
    const { sha256, isVerified } = sum.finish();
    sink.push({ kind: 'done', totalBytes: sum.totalBytes, sha256, isVerified });
    sink.end();
  });
  call.on('error', (error) => {
    channel.dispose();
    sink.end(toRemoteError(error, { endpoint: clientUrl, method: 'Snapshot' }));
  });
  return {
    pause: () => call.pause(),
    resume: () => call.resume(),
    dispose: () => {
      call.cancel();
      channel.dispose();
    },
  };
}

/** SHA-256 over a stream whose last 32 bytes are that sum. */
export class TrailingDigest {
  totalBytes = 0;
  readonly #hash = createHash('sha256');
  /** The last bytes so far: they may be the digest. */
  #tail: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): void {
    this.totalBytes += bytes.length;
    const all = this.#tail.length === 0 ? bytes : Buffer.concat([this.#tail, bytes]);
    const end = Math.max(0, all.length - DIGEST_BYTES);
    this.#hash.update(all.subarray(0, end));
    this.#tail = Buffer.from(all.subarray(end));
  }

  finish(): { sha256: string; isVerified: boolean } {
    const sum = this.#hash.digest();
    const hasDigest = this.totalBytes % PAGE_BYTES === DIGEST_BYTES;
    return { sha256: sum.toString('hex'), isVerified: hasDigest && sum.equals(this.#tail) };
  }
}
