import type { CallInput } from '../../../src-main/contract/calls.ts';
import type { FaultsView, RaftMemberView, RaftView } from '../../../src-main/contract/views.ts';

export const FAULT_KINDS = [
  'isolate',
  'cutOut',
  'delay',
  'loss',
  'slowDisk',
  'fullDisk',
  'brokenDisk',
  'pause',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface FaultWish {
  kind: FaultKind;
  node: string;
  /** Of a link. */
  peer: string;
  /** Milliseconds, or messages of a thousand. */
  amount: number;
  durationMs: number | null;
}

type NodeFaults = CallInput<'faults.set'>['nodes'][number];
type Link = FaultsView['links'][number];

export function isLinkKind(kind: FaultKind): boolean {
  return kind === 'cutOut' || kind === 'delay' || kind === 'loss';
}

/** What the amount means and may be; null: there is none. */
export function amountOf(kind: FaultKind): { start: number; max: number } | null {
  if (kind === 'delay') return { start: 100, max: 60_000 };
  if (kind === 'loss') return { start: 100, max: 1_000 };
  if (kind === 'slowDisk') return { start: 200, max: 60_000 };
  return null;
}

/** What to set at which members so that this comes to what is wrong already. */
export function planOf(members: readonly RaftMemberView[], wish: FaultWish): NodeFaults[] {
  const changed = new Map<string, NodeFaults>();
  const of = (name: string): NodeFaults => {
    const known = changed.get(name);
    if (known !== undefined) return known;
    const { faults } = members.find((member) => member.name === name) ?? { faults: null };
    const made = {
      node: name,
      links: structuredClone(faults?.links ?? []),
      disk: { ...(faults?.disk ?? { syncDelayMs: 0, error: 'none' as const }) },
    };
    changed.set(name, made);
    return made;
  };
  const link = (name: string, peer: string, fault: Partial<Link>) => {
    const { links } = of(name);
    const at = links.findIndex((one) => one.peer === peer);
    if (at < 0) links.push({ peer, ...fault });
    else links[at] = { ...(links[at] as Link), ...fault };
  };
  const { kind, node, peer, amount } = wish;
  if (kind === 'isolate') {
    // Both ends: a member that is started again meanwhile must not get through.
    for (const { name, faults } of members) {
      if (name === node) continue;
      link(node, name, { cutOutgoing: true, cutIncoming: true });
      if (faults !== null) link(name, node, { cutOutgoing: true, cutIncoming: true });
    }
  } else if (kind === 'cutOut') link(node, peer, { cutOutgoing: true });
  else if (kind === 'delay') link(node, peer, { delayMs: amount });
  else if (kind === 'loss') link(node, peer, { lossPerMille: amount });
  else if (kind === 'slowDisk') of(node).disk = { ...of(node).disk, syncDelayMs: amount };
  else if (kind === 'fullDisk') of(node).disk = { ...of(node).disk, error: 'full' };
  else if (kind === 'brokenDisk') of(node).disk = { ...of(node).disk, error: 'broken' };
  return [...changed.values()];
}

/** One line for each thing that is wrong; a cut that both ends have is told once. */
export interface ActiveFault {
  id: string;
  kind:
    | 'cutBoth'
    | 'cutOut'
    | 'cutIn'
    | 'delay'
    | 'loss'
    | 'slowDisk'
    | 'fullDisk'
    | 'brokenDisk'
    | 'paused';
  node: string;
  peer: string;
  amount: number;
  endsAtMs: number | null;
}

export function activeFaults({ members }: Pick<RaftView, 'members'>): ActiveFault[] {
  const found = new Map<string, ActiveFault>();
  const add = (fault: Omit<ActiveFault, 'id'>) => {
    const ends =
      fault.kind === 'cutBoth' ? [fault.node, fault.peer].sort() : [fault.node, fault.peer];
    const id = `${fault.kind} ${ends.join(' ')}`;
    if (!found.has(id)) found.set(id, { id, ...fault });
  };
  for (const { name: node, faults, process } of members) {
    if (process === 'paused') add({ kind: 'paused', node, peer: '', amount: 0, endsAtMs: null });
    if (faults === null) continue;
    const { endsAtMs, links, disk } = faults;
    for (const { peer, cutOutgoing, cutIncoming, delayMs, lossPerMille } of links) {
      const cut = { node, peer, amount: 0, endsAtMs };
      if (cutOutgoing && cutIncoming) add({ kind: 'cutBoth', ...cut });
      else if (cutOutgoing) add({ kind: 'cutOut', ...cut });
      else if (cutIncoming) add({ kind: 'cutIn', ...cut });
      if (delayMs > 0) add({ kind: 'delay', node, peer, amount: delayMs, endsAtMs });
      if (lossPerMille > 0) add({ kind: 'loss', node, peer, amount: lossPerMille, endsAtMs });
    }
    const own = { node, peer: '', endsAtMs };
    if (disk.syncDelayMs > 0) add({ kind: 'slowDisk', ...own, amount: disk.syncDelayMs });
    if (disk.error === 'full') add({ kind: 'fullDisk', ...own, amount: 0 });
    if (disk.error === 'broken') add({ kind: 'brokenDisk', ...own, amount: 0 });
  }
  return [...found.values()];
}

/** Members that the largest group holds in which everyone reaches everyone, if the wish comes true. */
export function reachableAfter(view: RaftView, { kind, node }: FaultWish): number {
  const up = view.members.filter(({ source, process }) => source !== null && process !== 'paused');
  const goes =
    kind === 'isolate' || kind === 'pause' || kind === 'fullDisk' || kind === 'brokenDisk';
  return up.filter(({ name }) => !goes || name !== node).length;
}
