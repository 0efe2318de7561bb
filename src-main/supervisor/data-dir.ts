/**
 * A data folder is ours if it holds `raftdeck.json`: {"raftdeck":1,"kind":"app"}. The kind tells
 * the app's folder (many clusters below clusters/) from one of `raftdeck up` (one cluster, directly
 * in it).
 */
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { CodedError, errorMessage } from '../base/errors.ts';
import { systemErrorCode, temporaryName, writeFileAtomic, writeSynced } from './atomic-file.ts';
import type { SupervisorErrorCode } from './errors.ts';

export const MARKER_FILE = 'raftdeck.json';
const MARKER_VERSION = 1;

export type DataDirKind = 'app' | 'up';

const markerSchema = z.object({ raftdeck: z.number().int(), kind: z.enum(['app', 'up']) });

/** RAFTDECK_DATA_DIR, or where this platform keeps the data of applications. */
export function defaultDataDir(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  const { RAFTDECK_DATA_DIR, XDG_DATA_HOME, LOCALAPPDATA } = env;
  if (RAFTDECK_DATA_DIR) return resolve(RAFTDECK_DATA_DIR);
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'Raftdeck');
  if (platform === 'win32') {
    return join(LOCALAPPDATA || join(home, 'AppData', 'Local'), 'Raftdeck');
  }
  // The XDG base directory specification: a relative path is to be ignored.
  const dataHome = XDG_DATA_HOME?.startsWith('/') ? XDG_DATA_HOME : join(home, '.local', 'share');
  return join(dataHome, 'raftdeck');
}

/**
 * Makes sure that `dir` is a data folder of this kind, creating it if it is missing or empty.
 * Throws DataDirForeign or DataDirUnwritable and leaves everything as it was.
 */
export async function prepareDataDir(dir: string, kind: DataDirKind): Promise<void> {
  let names: string[];
  try {
    await makeFolders(resolve(dir));
    names = await readdir(dir);
  } catch (error) {
    throw unwritable(dir, error);
  }
  if (names.includes(MARKER_FILE)) {
    await checkMarker(dir, kind);
    await checkWritable(dir);
    return;
  }
  if (names.length > 0) {
    throw new CodedError<SupervisorErrorCode>(
      'DataDirForeign',
      `${dir} is not a Raftdeck data folder: it is not empty and has no ${MARKER_FILE}`,
      { hint: 'nothing was changed; choose an empty or new folder with --data-dir' },
    );
  }
  try {
    const marker = `${JSON.stringify({ raftdeck: MARKER_VERSION, kind })}\n`;
    await writeFileAtomic(join(dir, MARKER_FILE), marker);
  } catch (error) {
    throw unwritable(dir, error);
  }
}

/** Node's own recursive mkdir never returns where a parent refuses children, as /proc does. */
async function makeFolders(dir: string): Promise<void> {
  try {
    await mkdir(dir, { mode: 0o700 });
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'EEXIST') return;
    const parent = dirname(dir);
    if (code !== 'ENOENT' || parent === dir || (await isFolder(parent))) throw error;
    await makeFolders(parent);
    await mkdir(dir, { mode: 0o700 });
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

async function checkMarker(dir: string, kind: DataDirKind): Promise<void> {
  const file = join(dir, MARKER_FILE);
  let marker: z.infer<typeof markerSchema>;
  try {
    marker = markerSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    throw new CodedError<SupervisorErrorCode>(
      'DataDirForeign',
      `${file} is not Raftdeck's: it cannot be read as a marker of a data folder`,
      { cause: error, hint: 'nothing was changed; choose another folder with --data-dir' },
    );
  }
  if (marker.raftdeck > MARKER_VERSION) {
    throw new CodedError<SupervisorErrorCode>(
      'DataDirForeign',
      `${dir} has layout ${marker.raftdeck}; this version of Raftdeck knows ${MARKER_VERSION}`,
      { hint: 'open it with the newer Raftdeck that made it' },
    );
  }
  if (marker.kind !== kind) {
    const holds = { app: "the app's clusters", up: 'a cluster of "raftdeck up"' };
    throw new CodedError<SupervisorErrorCode>(
      'DataDirForeign',
      `${dir} holds ${holds[marker.kind]}, not ${holds[kind]}`,
      { hint: 'choose another folder with --data-dir' },
    );
  }
}

/** A folder's mode says little to root and on network drives; writing says all. */
async function checkWritable(dir: string): Promise<void> {
  const probe = temporaryName(join(dir, 'probe'));
  try {
    await writeSynced(probe, '');
    await rm(probe);
  } catch (error) {
    throw unwritable(dir, error);
  }
}

function unwritable(dir: string, cause: unknown): CodedError<SupervisorErrorCode> {
  const reasons: Record<string, string> = {
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EROFS: 'the file system is read-only',
    ENOSPC: 'the disk is full',
    ENOTDIR: 'a part of the path is a file',
    ENOENT: 'it cannot be created there',
  };
  const why = reasons[systemErrorCode(cause) ?? ''] ?? errorMessage(cause);
  return new CodedError('DataDirUnwritable', `cannot use ${dir} as data folder: ${why}`, {
    cause,
    hint: 'choose a folder that you can write to with --data-dir',
  });
}
