import { join } from 'node:path';
import { etcdctlAlone } from './etcdctl.ts';
import { startTarget, type Target } from './targets.ts';

/** What `etcdctl snapshot status` says of a file. */
export interface SnapshotStatus {
  hash: number;
  revision: number;
  totalKey: number;
  totalSize: number;
}

/** Saves a snapshot of the target with the real etcdctl and has it checked. */
export async function saveSnapshot(target: Target, dir: string): Promise<string> {
  const path = join(dir, `${target.name}-${Date.now()}.db`);
  await etcdctlAlone(['--endpoints', target.address, 'snapshot', 'save', path]);
  return path;
}

/** Every page of the file is checked by bbolt before it says anything. */
export async function snapshotStatus(path: string): Promise<SnapshotStatus> {
  return JSON.parse(await etcdctlAlone(['snapshot', 'status', path, '-w', 'json']));
}

/** A real etcd on what the real etcdctl restored from the file. */
export function startRestored(path: string): Promise<Target> {
  return startTarget('etcd', [], async (dataDir, peerUrl) => {
    const flags = ['--name', 'm1', '--data-dir', dataDir, '--initial-cluster', `m1=${peerUrl}`];
    flags.push('--initial-advertise-peer-urls', peerUrl);
    await etcdctlAlone(['snapshot', 'restore', path, ...flags]);
  });
}
