/**
 * One supervisor per data folder. Each holder makes <dir>/supervisor.lock.<generation>, which names
 * its process with the start time, so that a lock left by a killed process is told from a live one.
 * The highest generation counts:
 *
 *     supervisor.lock.7    {"pid":4711,"startTime":"5b2c…:818311","released":false}
 *
 * Taking over a stale lock creates the next generation, which only one process can (link fails if
 * the name is taken), and never removes a file that might be somebody's lock by now.
 */
import { link, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CodedError } from '../base/errors.ts';
import { systemErrorCode, temporaryName, writeSynced } from './atomic-file.ts';
import type { SupervisorErrorCode } from './errors.ts';
import { processInfo } from './process-info.ts';

const LOCK_NAME = /^supervisor\.lock\.(\d{1,15})$/;
/** Each further round means that another process raced us. */
const MAX_ATTEMPTS = 20;

const lockSchema = z.object({
  pid: z.number().int().positive(),
  startTime: z.string().nullable(),
  released: z.boolean(),
});
type LockContent = z.infer<typeof lockSchema>;

export class InstanceLock {
  readonly #file: string;
  readonly #content: LockContent;

  private constructor(file: string, content: LockContent) {
    this.#file = file;
    this.#content = content;
  }

  /** Throws DataDirInUse naming the process that supervises this folder. */
  static async acquire(dir: string): Promise<InstanceLock> {
    const startTime = (await processInfo(process.pid))?.startTime ?? null;
    const content: LockContent = { pid: process.pid, startTime, released: false };
    const temporary = temporaryName(join(dir, 'supervisor.lock'));
    await writeSynced(temporary, JSON.stringify(content));
    try {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const highest = Math.max(0, ...(await generations(dir)));
        const holder = highest === 0 ? null : await readLock(lockFile(dir, highest));
        if (holder !== null && (await isHeld(holder))) throw inUse(dir, holder.pid);
        const file = lockFile(dir, highest + 1);
        if (!(await tryLink(temporary, file))) continue;
        // A lower generation may have been cleared away meanwhile, and its number was free again:
        // that is no lock.
        const now = await generations(dir);
        if (now.some((generation) => generation > highest + 1)) {
          await rm(file, { force: true });
          continue;
        }
        await clearBelow(dir, highest + 1, now);
        return new InstanceLock(file, content);
      }
      throw inUse(dir, null);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /** Gives the folder back. The file stays, so that generations only grow. */
  async release(): Promise<void> {
    const temporary = temporaryName(this.#file);
    await writeSynced(temporary, JSON.stringify({ ...this.#content, released: true }));
    await rename(temporary, this.#file);
  }
}

export function lockFile(dir: string, generation: number): string {
  return join(dir, `supervisor.lock.${generation}`);
}

async function generations(dir: string): Promise<number[]> {
  return (await readdir(dir)).flatMap((name) => {
    const generation = LOCK_NAME.exec(name)?.[1];
    return generation === undefined ? [] : [Number(generation)];
  });
}

async function clearBelow(dir: string, generation: number, found: number[]): Promise<void> {
  const stale = found.filter((other) => other < generation);
  await Promise.all(stale.map((other) => rm(lockFile(dir, other), { force: true })));
}

async function isHeld(holder: LockContent): Promise<boolean> {
  if (holder.released) return false;
  const info = await processInfo(holder.pid);
  if (info === null) return false;
  // Without start times the pid must do: rather a lock too many than two supervisors.
  if (info.startTime === null || holder.startTime === null) return true;
  return info.startTime === holder.startTime;
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** A lock that cannot be read holds nothing: ours appear whole or not at all. */
async function readLock(file: string): Promise<LockContent | null> {
  try {
    const parsed = lockSchema.safeParse(JSON.parse(await readFile(file, 'utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function inUse(dir: string, pid: number | null): CodedError<SupervisorErrorCode> {
  const by = pid === null ? 'another process' : `process ${pid}`;
  return new CodedError('DataDirInUse', `${dir} is already in use by ${by}`, {
    hint: 'stop that Raftdeck, or choose another folder with --data-dir',
  });
}
