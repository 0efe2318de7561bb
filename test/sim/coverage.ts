import type { SimCluster } from './cluster.ts';
import type { History, Operation } from './history.ts';

/** How often things happened, by name. */
export type Coverage = Map<string, number>;

/** What a run is there for. A name that stays at nothing over many seeds is something that is not tested. */
const EXPECTED = [
  'elections',
  'transfers',
  'members added',
  'learners added',
  'promotions',
  'removals',
  'replacements',
  'snapshots sent',
  'snapshots failed',
  'snapshots installed',
  'logs compacted',
  'starts',
  'compactions',
  'automatic compactions',
  'defragments',
  'leases expired',
  'leases revoked',
  'NOSPACE alarms',
  'alarms disarmed',
  'puts refused for space',
  'watches resumed',
  'watches after a compaction',
  'lost answers',
  'syncs that lied',
  'disk errors',
  'disk full',
  'short writes',
  'unsynced changes lost',
  'records torn',
  'torn tails cut',
  'bits flipped',
  'rot refused',
  'frames dropped',
  'frames repeated',
  'frames held',
  'clocks off',
] as const;

export type Counted = (typeof EXPECTED)[number];

export function emptyCoverage(): Coverage {
  return new Map(EXPECTED.map((name) => [name, 0]));
}

export function count(coverage: Coverage, name: Counted, times = 1): void {
  coverage.set(name, (coverage.get(name) ?? 0) + times);
}

export function add(to: Coverage, more: Coverage): void {
  for (const [name, times] of more) to.set(name, (to.get(name) ?? 0) + times);
}

const SUCCEEDED: Readonly<Partial<Record<Operation['kind'], Counted>>> = {
  memberAdd: 'members added',
  memberAddLearner: 'learners added',
  memberPromote: 'promotions',
  memberRemove: 'removals',
  moveLeader: 'transfers',
  compact: 'compactions',
  defragment: 'defragments',
  alarmDisarm: 'alarms disarmed',
  leaseRevoke: 'leases revoked',
};

/** What the run's history tells, added to what was counted as it happened. */
export function countHistory(coverage: Coverage, { history, settings, members }: SimCluster): void {
  for (const { kind, outcome } of history.operations) {
    const name = SUCCEEDED[kind];
    if (outcome.ok && name !== undefined) count(coverage, name);
    else if (!outcome.ok && outcome.error === 'unknown') count(coverage, 'lost answers');
    else if (!outcome.ok && outcome.code === 'NoSpace') count(coverage, 'puts refused for space');
  }
  for (const { kind } of history.watches.flatMap(({ items }) => items)) {
    if (kind === 'resumed') count(coverage, 'watches resumed');
    else if (kind === 'restarted') count(coverage, 'watches after a compaction');
  }
  count(coverage, 'leases expired', expired(history));
  count(coverage, 'NOSPACE alarms', alarms(history));
  if (settings.maxClockDrift > 0) count(coverage, 'clocks off', members.length);
  for (const { kind, members: hit } of history.faults) {
    coverage.set(`fault: ${kind}`, (coverage.get(`fault: ${kind}`) ?? 0) + Math.max(1, hit.length));
  }
}

function expired({ leases, operations }: History): number {
  const revoked = new Set<string>();
  for (const operation of operations) {
    if (operation.kind === 'leaseRevoke') revoked.add(operation.input.lease);
  }
  return leases.filter(({ kind, lease }) => kind === 'gone' && !revoked.has(lease)).length;
}

/** Times at which one was seen that had not been there. */
function alarms({ observations }: History): number {
  let raised = 0;
  const last = new Map<string, boolean>();
  for (const { member, alarms: seen } of observations) {
    const isRaised = seen.some(({ alarm }) => alarm === 'NOSPACE');
    if (isRaised && last.get(member) !== true) raised++;
    last.set(member, isRaised);
  }
  return raised;
}

/** One line per group, those that never happened by themselves. */
export function describeCoverage(coverage: Coverage): string {
  const happened = [...coverage].filter(([, times]) => times > 0);
  const line = (list: [string, number][]) => list.map(([name, times]) => `${name} ${times}`);
  const isFault = ([name]: [string, number]) => name.startsWith('fault: ');
  const faults = happened.filter(isFault).map(([name, n]): [string, number] => [name.slice(7), n]);
  const never = [...coverage].filter(([, times]) => times === 0).map(([name]) => name);
  return [
    `happened: ${line(happened.filter((one) => !isFault(one))).join(', ')}`,
    `faults, by members hit: ${line(faults).join(', ')}`,
    `never happened: ${never.join(', ') || 'nothing'}`,
  ].join('\n');
}
