import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { systemErrorCode } from './atomic-file.ts';

/** How long a helper such as ps may take. */
const QUERY_TIMEOUT_MS = 5_000;

export interface ProcessInfo {
  /**
   * Identifies the process together with its pid, which the system uses again: compared, never
   * interpreted. null where the system does not tell.
   */
  startTime: string | null;
  /** Stopped by SIGSTOP. */
  paused: boolean;
}

/** What is known of a live process; null when there is none with this pid. */
export async function processInfo(pid: number): Promise<ProcessInfo | null> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  if (process.platform === 'linux') return linuxProcessInfo(pid);
  if (!isAlive(pid)) return null;
  if (process.platform === 'win32') return windowsProcessInfo(pid);
  const line = await run('ps', ['-o', 'state=,lstart=', '-p', String(pid)]);
  if (line === null || line === '') return isAlive(pid) ? { startTime: null, paused: false } : null;
  const [state = '', ...start] = line.split(/\s+/);
  if (state.startsWith('Z')) return null;
  return { startTime: start.join(' '), paused: state.startsWith('T') };
}

/** Whether a process with this pid exists, zombies included. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}

/** Sends a signal to a process that may be gone already. */
export function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (systemErrorCode(error) !== 'ESRCH') throw error;
  }
}

/** proc(5): field 3 is the state, field 22 the start time in clock ticks after boot. */
async function linuxProcessInfo(pid: number): Promise<ProcessInfo | null> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${pid}/stat`, 'latin1');
  } catch {
    // Without a readable /proc nothing proves that a live pid is the process we knew.
    return isAlive(pid) && !(await procIsMounted()) ? { startTime: null, paused: false } : null;
  }
  // The command in field 2 may hold spaces and parentheses; the last one closes it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const ticks = fields[19];
  // A zombie has ended; in a container without an init it may stay one for ever.
  if (state === 'Z' || state === 'X' || ticks === undefined) return null;
  return { startTime: `${await bootId()}:${ticks}`, paused: state === 'T' };
}

async function procIsMounted(): Promise<boolean> {
  return (await readOrNull('/proc/self/stat')) !== null;
}

/** Ticks count from boot, so the same number means another process after a reboot. */
async function bootId(): Promise<string> {
  return (await readOrNull('/proc/sys/kernel/random/boot_id'))?.trim() ?? '';
}

async function windowsProcessInfo(pid: number): Promise<ProcessInfo> {
  const script = `(Get-Process -Id ${pid}).StartTime.ToFileTimeUtc()`;
  const line = await run('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', script]);
  return { startTime: line === '' ? null : line, paused: false };
}

async function readOrNull(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return null;
  }
}

async function run(command: string, args: string[]): Promise<string | null> {
  try {
    const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
    const options = { timeout: QUERY_TIMEOUT_MS, windowsHide: true, env };
    return (await promisify(execFile)(command, args, options)).stdout.trim();
  } catch {
    return null;
  }
}
