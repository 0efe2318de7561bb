import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { storageError } from './errors.ts';

export const LOCK_FILE = 'LOCK';
/**
 * A stale lock can be replaced by another process between our look and our try; this often we look
 * again.
 */
const MAX_ATTEMPTS = 5;

/** Who holds the folder: the file's one line of JSON. */
export interface LockHolder {
  pid: number;
  /**
   * Clock ticks since boot at which the process started (/proc/{pid}/stat field 22); empty where
   * there is no /proc.
   */
  startTime: string;
}

/**
 * One process per folder, for as long as it lives: a lock of a process that is gone is taken over.
 */
export class LockFile {
  readonly path: string;
  readonly #content: string;
  #held = true;

  private constructor(path: string, content: string) {
    this.path = path;
    this.#content = content;
  }

  /** Takes the lock of `dir`, or throws DataDirInUse. */
  static acquire(dir: string): LockFile {
    const path = join(dir, LOCK_FILE);
    const self: LockHolder = {
      pid: process.pid,
      startTime: processStat(process.pid)?.startTime ?? '',
    };
    const content = `${JSON.stringify(self)}\n`;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (createWhole(path, content)) return new LockFile(path, content);
      const found = readLock(path);
      if (found === undefined) continue;
      if (found.holder !== undefined && isAlive(found.holder)) throw inUse(dir, found.holder);
      removeStale(path, found.content);
    }
    throw storageError('DataDirInUse', `data folder ${dir} is being taken by another process`);
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    if (readLock(this.path)?.content === this.#content) unlinkSync(this.path);
  }
}

/** The holder of a folder's lock, dead or alive; undefined if nobody holds it. */
export function readLockHolder(dir: string): LockHolder | undefined {
  return readLock(join(dir, LOCK_FILE))?.holder;
}

function isAlive(holder: LockHolder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: the process exists and is somebody else's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const found = processStat(holder.pid);
  if (found === undefined) return true;
  // A zombie has ended and holds nothing; in a container without an init it may stay one for ever.
  if (found.state === 'Z' || found.state === 'X') return false;
  // The pid may have been given to another process since.
  return holder.startTime === '' || found.startTime === holder.startTime;
}

/** From proc(5), fields 3 and 22; undefined where there is no /proc to ask. */
function processStat(pid: number): { state: string; startTime: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the command in brackets and may itself hold blanks and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTime: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

/**
 * Creates the file with its content in one step, so that nobody reads a lock that is half written.
 */
function createWhole(path: string, content: string): boolean {
  const temporary = `${path}.${randomUUID()}`;
  writeFileSync(temporary, content, { flag: 'wx', mode: 0o600 });
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // A file system without hard links.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS')
      return createPlain(path, content);
    throw error;
  } finally {
    unlinkSync(temporary);
  }
}

function createPlain(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readLock(path: string): { content: string; holder: LockHolder | undefined } | undefined {
  try {
    const content = readFileSync(path, 'utf8');
    return { content, holder: parseHolder(content) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseHolder(content: string): LockHolder | undefined {
  try {
    const value = JSON.parse(content) as Partial<LockHolder> | null;
    if (!Number.isSafeInteger(value?.pid) || (value?.pid as number) <= 0) return undefined;
    return { pid: value?.pid as number, startTime: String(value?.startTime ?? '') };
  } catch {
    // Nobody writes half a lock, so this is no live holder's.
    return undefined;
  }
}

/**
 * Moves the stale lock away. Should it have become another process's live lock meanwhile, that one
 * is put back.
 */
function removeStale(path: string, staleContent: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    if (readFileSync(aside, 'utf8') !== staleContent) linkSync(aside, path);
  } finally {
    unlinkSync(aside);
  }
}

function inUse(dir: string, holder: LockHolder) {
  return storageError('DataDirInUse', `data folder ${dir} is in use by process ${holder.pid}`, {
    hint: `Stop process ${holder.pid}, or use another data folder.`,
  });
}
