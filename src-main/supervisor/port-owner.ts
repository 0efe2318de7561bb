import { readdir, readFile, readlink } from 'node:fs/promises';

/** A process table larger than this is not searched: the name of the owner is a courtesy. */
const MAX_PROCESSES_SEARCHED = 20_000;
const MAX_COMMAND_CHARS = 120;
/** tcp(7) state TCP_LISTEN as /proc/net/tcp prints it. */
const LISTEN_STATE = '0A';

export interface PortOwner {
  pid: number;
  command: string;
}

/**
 * Who listens on a port, where the system lets us see it (Linux, own processes or root); else null.
 */
export async function findPortOwner(port: number): Promise<PortOwner | null> {
  if (process.platform !== 'linux') return null;
  const inodes = new Set([
    ...(await listeningInodes('/proc/net/tcp', port)),
    ...(await listeningInodes('/proc/net/tcp6', port)),
  ]);
  if (inodes.size === 0) return null;
  const pids = (await namesIn('/proc')).filter((name) => /^\d+$/.test(name));
  for (const pid of pids.slice(0, MAX_PROCESSES_SEARCHED)) {
    if (await holdsSocket(pid, inodes)) {
      return { pid: Number(pid), command: await commandOf(pid) };
    }
  }
  return null;
}

/** " by pid 12 (etcd --name x)", or nothing. */
export function describeOwner(owner: PortOwner | null): string {
  return owner === null ? '' : ` by pid ${owner.pid} (${owner.command})`;
}

/**
 * Columns of /proc/net/tcp: sl, local address as hex ip:port, remote address, state, …, inode in
 * column 10.
 */
async function listeningInodes(file: string, port: number): Promise<string[]> {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes: string[] = [];
  for (const line of (await textOf(file)).split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/);
    const inode = columns[9];
    if (columns[3] !== LISTEN_STATE || inode === undefined) continue;
    if (columns[1]?.endsWith(`:${hexPort}`)) inodes.push(inode);
  }
  return inodes;
}

async function holdsSocket(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  for (const fd of await namesIn(`/proc/${pid}/fd`)) {
    let target: string;
    try {
      target = await readlink(`/proc/${pid}/fd/${fd}`);
    } catch {
      continue;
    }
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined && inodes.has(inode)) return true;
  }
  return false;
}

async function commandOf(pid: string): Promise<string> {
  const command = (await textOf(`/proc/${pid}/cmdline`)).replaceAll('\0', ' ').trim();
  if (command === '') return 'unknown command';
  if (command.length <= MAX_COMMAND_CHARS) return command;
  return `${command.slice(0, MAX_COMMAND_CHARS - 1)}…`;
}

/** Processes come and go while we look: what cannot be read counts as empty. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return '';
  }
}
