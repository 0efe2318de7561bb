/**
 * <nodeDir>/node.pid: which process runs a node, so that a later supervisor finds it. For example
 *
 *     {"version":1,"pid":4711,"startTime":"5b2c…:818311","command":["/…/main.js","--name","n1"]}
 */
import { readFile, rm } from 'node:fs/promises';
import { z } from 'zod';
import { systemErrorCode, writeFileAtomic } from './atomic-file.ts';
import { processInfo } from './process-info.ts';

const pidFileSchema = z.object({
  version: z.literal(1),
  pid: z.number().int().positive(),
  startTime: z.string().nullable(),
  command: z.array(z.string()),
  /** Unix milliseconds. */
  launchedAtMs: z.number(),
});

export type PidFile = z.infer<typeof pidFileSchema>;

export async function writePidFile(file: string, pid: number, command: string[]): Promise<void> {
  const info = await processInfo(pid);
  // A process that ended within these milliseconds leaves no orphan to find.
  if (info === null) return;
  const content: PidFile = {
    version: 1,
    pid,
    startTime: info.startTime,
    command,
    launchedAtMs: Date.now(),
  };
  await writeFileAtomic(file, JSON.stringify(content));
}

export async function removePidFile(file: string): Promise<void> {
  await rm(file, { force: true });
}

export interface Orphan extends PidFile {
  startTime: string;
  paused: boolean;
}

/**
 * The live process that `file` tells of; null if there is none. A process whose start time differs,
 * or cannot be compared, merely has the same pid: it is somebody else's and never touched.
 */
export async function findOrphan(file: string): Promise<Orphan | null> {
  const known = await readPidFile(file);
  if (known === null || known.startTime === null) return null;
  const info = await processInfo(known.pid);
  if (info === null || info.startTime !== known.startTime) return null;
  return { ...known, startTime: known.startTime, paused: info.paused };
}

async function readPidFile(file: string): Promise<PidFile | null> {
  try {
    const parsed = pidFileSchema.safeParse(JSON.parse(await readFile(file, 'utf8')));
    return parsed.success ? parsed.data : null;
  } catch (error) {
    // A pid file that is not ours or was cut short identifies no process.
    if (error instanceof SyntaxError || systemErrorCode(error) === 'ENOENT') return null;
    throw error;
  }
}
