import { readFileSync } from 'node:fs';

/** Clock ticks of /proc/<pid>/stat in a second: fixed for user space. */
const TICKS_PER_SECOND = 100;
/** Of stat, counted behind the name in brackets. */
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

/** CPU seconds that a process has used, all its threads; NaN where there is no /proc. */
export function cpuSeconds(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])) / TICKS_PER_SECOND;
}

/** Resident memory in MiB; NaN where there is no /proc. */
export function residentMib(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1];
  return Number(kib) / 1024;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
