import { accessSync, constants, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '../../base/errors.ts';
import { type WalFiles, writeAll } from '../wal/files.ts';

/** What marks a folder as one of ours, and what it belongs to. */
export interface NodeMarker {
  format: 1;
  name: string;
  clusterId: string;
  memberId: string;
  /** --initial-cluster-token at the first start; absent in folders of before it was kept. */
  token?: string;
  /** The cluster has removed this member: it must not run again. */
  removed?: boolean;
}

const MARKER = 'raftdeck-node.json';
/** What a supervisor may put beside our files before the first start. */
const TOLERATED = new Set([
  'stderr.log',
  'node.pid',
  'logs',
  'member',
  MARKER,
  'lost+found',
  '.DS_Store',
]);

export type DataDirError = CodedError<'DataDirUnusable' | 'DataDirForeign'>;

/**
 * Makes sure that the folder can be ours: creates it, refuses one that is not writable, one that holds other files,
 * and etcd's own. Nothing is changed in a folder that is refused.
 */
export function claimDataDir(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    if (!statSync(dir).isDirectory()) throw new Error('not a folder');
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new CodedError('DataDirUnusable', `data folder ${dir}: ${(error as Error).message}`, {
      hint: 'Choose a folder that this user may write to with --data-dir.',
      cause: error,
    });
  }
  if (existsSync(join(dir, MARKER))) return;
  if (existsSync(join(dir, 'member', 'snap'))) {
    throw new CodedError('DataDirForeign', `data folder ${dir} belongs to an etcd server`, {
      hint: 'Start etcd on it, or choose another --data-dir. Nothing was changed.',
    });
  }
  const strangers = readdirSync(dir).filter((name) => !TOLERATED.has(name));
  if (strangers.length > 0) {
    throw new CodedError(
      'DataDirForeign',
      `data folder ${dir} holds files that are not ours (${strangers.slice(0, 3).join(', ')})`,
      { hint: 'Choose an empty folder with --data-dir. Nothing was changed.' },
    );
  }
}

export async function readMarker(files: WalFiles, dir: string): Promise<NodeMarker | undefined> {
  const path = join(dir, MARKER);
  if (!(await files.list(dir)).includes(MARKER)) return undefined;
  try {
    return checkedMarker(JSON.parse((await files.read(path)).toString()));
  } catch (error) {
    throw new CodedError('DataDirUnusable', `${path} cannot be read: ${(error as Error).message}`, {
      hint: 'It was changed by hand or written by a newer version. Nothing was changed.',
      cause: error,
    });
  }
}

function checkedMarker(value: unknown): NodeMarker {
  if (typeof value !== 'object' || value === null) throw new Error('it holds no object');
  const marker = value as Partial<NodeMarker>;
  if (marker.format !== 1) throw new Error(`format ${String(marker.format)} is not 1`);
  for (const field of ['name', 'clusterId', 'memberId'] as const) {
    if (typeof marker[field] !== 'string') throw new Error(`${field} is missing`);
  }
  if (!['string', 'undefined'].includes(typeof marker.token)) throw new Error('token is no text');
  if (!['boolean', 'undefined'].includes(typeof marker.removed)) {
    throw new Error('removed is neither true nor false');
  }
  return marker as NodeMarker;
}

/** Keeps a member that was removed from coming back, also when its peers are gone. */
export async function markRemoved(files: WalFiles, dir: string): Promise<void> {
  const marker = await readMarker(files, dir);
  if (marker !== undefined) await writeMarker(files, dir, { ...marker, removed: true });
}

/** Durable before it returns: temp file, fsync, rename, and the folder that holds the name. */
export async function writeMarker(files: WalFiles, dir: string, marker: NodeMarker): Promise<void> {
  const path = join(dir, MARKER);
  const file = await files.create(`${path}.tmp`);
  try {
    await writeAll(file, Buffer.from(`${JSON.stringify(marker, null, 2)}\n`), 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await files.rename(`${path}.tmp`, path);
  await files.syncFolder(dir);
}

export interface WideFolder {
  path: string;
  /** Permission bits, in octal. */
  mode: string;
}

/** The node's folders that others than the owner may look into. etcd warns of such and leaves them as they are. */
export function wideFolders(dir: string): WideFolder[] {
  // Windows has no such bits.
  if (process.platform === 'win32') return [];
  const member = join(dir, 'member');
  return [dir, member, join(member, 'wal'), join(member, 'state')].flatMap((path) => {
    if (!existsSync(path)) return [];
    const mode = statSync(path).mode & 0o777;
    return (mode & 0o077) === 0 ? [] : [{ path, mode: mode.toString(8).padStart(4, '0') }];
  });
}

/** By folder below the data folder: what a crash can leave there. The log removes its own. */
const LEFTOVERS: readonly [string, RegExp][] = [
  ['.', /^raftdeck-node\.json\.tmp$/],
  ['member', /^incoming-\d+\.snapshot$/],
  ['member/state', /^CURRENT\.tmp$/],
  ['member/state', /^LOCK\.[0-9a-f-]{36}$/],
];
/** A file this young may belong to a process that is just trying for the lock. */
const YOUNG_MS = 60_000;

/** Removes half-made files of a process that was killed. Call it with the folder's lock held; answers what went. */
export async function removeLeftovers(dir: string, nowMs: number): Promise<string[]> {
  const removed: string[] = [];
  for (const [folder, pattern] of LEFTOVERS) {
    const names = await readdir(join(dir, folder));
    for (const name of names.filter((one) => pattern.test(one))) {
      const path = join(dir, folder, name);
      if (name.startsWith('LOCK.') && nowMs - (await stat(path)).mtimeMs < YOUNG_MS) continue;
      await rm(path, { force: true });
      removed.push(join(folder, name));
    }
  }
  return removed;
}
