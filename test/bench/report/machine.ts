import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';

export interface Machine {
  cpu: string;
  cores: number;
  memoryGib: number;
  system: string;
  node: string;
  etcd: string | undefined;
  /** Of the last minute, when the benchmark began: what else ran there. */
  loadBefore: number;
}

export function describeMachine(etcd: string | undefined): Machine {
  const version = etcd && spawnSync(etcd, ['--version'], { encoding: 'utf8' }).stdout;
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 1024 ** 3),
    system: `${platform()} ${release()}`,
    node: process.version,
    etcd: version ? /etcd Version: (\S+)/.exec(version)?.[1] : undefined,
    loadBefore: loadavg()[0] ?? Number.NaN,
  };
}

export function machineLine(machine: Machine): string {
  const { cpu, cores, memoryGib, system, node, etcd, loadBefore } = machine;
  const versions = [`Node ${node}`, ...(etcd === undefined ? [] : [`etcd ${etcd}`])].join(', ');
  return `${cores} cores of ${cpu}, ${memoryGib} GiB, ${system}; ${versions}; load before ${loadBefore.toFixed(1)}`;
}
