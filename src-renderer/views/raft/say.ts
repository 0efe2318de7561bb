import type { RaftEventView, RaftView } from '../../../src-main/contract/views.ts';
import type { WordsLookup } from '../../lib/i18n/i18n.svelte.ts';
import type { raftWords } from '../../lib/i18n/views/raft.ts';
import { type ActiveFault, type FaultWish, reachableAfter } from './fault-plan.ts';

export type RaftTranslate = WordsLookup<(typeof raftWords)['en']>;

/** Entries that a member may lack for a moment while others are written. */
const BEHIND_ENTRIES = 100;

/** Names of those that answer and lack more than a moment's worth of what is committed. */
export function behind({ members }: RaftView): string[] {
  const commit = Math.max(0, ...members.map((member) => member.commit ?? 0));
  return members
    .filter(({ applied }) => applied !== null && commit - applied > BEHIND_ENTRIES)
    .map(({ name }) => name);
}

/** How Raft is, in one sentence. */
export function sentenceOf(
  view: RaftView,
  w: RaftTranslate,
): { lead: string; rest: string; tone: 'plain' | 'warn' | 'danger' } {
  const answering = view.members.filter(({ source }) => source !== null);
  if (answering.length === 0) return { lead: w('sayNobody'), rest: '', tone: 'danger' };
  if (view.leader === null) {
    const term = String(view.term ?? 0);
    const isElecting = answering.some(({ role }) => role === 'candidate');
    const rest = isElecting ? w('sayElecting', { term }) : '';
    return { lead: w('sayNoLeader'), rest, tone: 'danger' };
  }
  const lead = w('sayLeader', { leader: view.leader, term: String(view.term ?? 0) });
  const late = behind(view);
  if (late.length > 0) {
    return { lead, rest: w('sayBehind', { names: late.join(', ') }), tone: 'warn' };
  }
  if (view.members.length === 1) return { lead, rest: '', tone: 'plain' };
  const astray = view.members.filter(({ leader }) => leader !== view.leader);
  if (astray.length === 0) return { lead, rest: w('sayFollows'), tone: 'plain' };
  const names = astray.map(({ name }) => name).join(', ');
  return { lead, rest: w('sayLost', { names }), tone: 'warn' };
}

export function eventText(event: RaftEventView, w: RaftTranslate): string {
  const { kind, role, index, node } = event;
  const term = String(event.term);
  const member = event.member ?? '';
  switch (kind) {
    case 'started':
      return w('evStarted');
    case 'role': {
      const words = {
        follower: 'evRoleFollower',
        preCandidate: 'evRolePreCandidate',
        candidate: 'evRoleCandidate',
        leader: 'evRoleLeader',
      } as const;
      return w(words[role], { term });
    }
    case 'leaderKnown':
      return member === node ? w('evLeaderSelf', { term }) : w('evLeaderKnown', { member, term });
    case 'leaderLost':
      return member === node ? w('evLeadsNoMore') : w('evLeaderLost', { member });
    case 'confChange':
      return w('evConfChange', { index });
    case 'snapshotSent':
      return w('evSnapshotSent', { member, index });
    case 'snapshotFailed':
      return w('evSnapshotFailed', { member });
    case 'snapshotInstalled':
      return w('evSnapshotInstalled', { index });
    case 'faults':
      return w('evFaults');
  }
}

/** What follows from a fault, said before it is made. */
export function consequences(view: RaftView, wish: FaultWish, w: RaftTranslate): string[] {
  const { kind, node, peer, amount } = wish;
  const ms = amount;
  const election = view.timing?.electionMs ?? 0;
  const isLeader = node === view.leader;
  const own = ((): string[] => {
    switch (kind) {
      case 'isolate':
        if (!isLeader) return [w('conIsolateFollower', { node })];
        return reachableAfter(view, wish) < view.quorum
          ? []
          : [w('conIsolateLeader', { node, left: reachableAfter(view, wish), ms: 2 * election })];
      case 'cutOut':
        return [isLeader ? w('conCutFromLeader', { node, peer }) : w('conCut', { node, peer })];
      case 'delay': {
        const slow = w('conDelay', { node, peer, ms });
        const touchesLeader = isLeader || peer === view.leader;
        return touchesLeader && amount > election && election > 0
          ? [slow, w('conDelayElection', { election })]
          : [slow];
      }
      case 'loss':
        return [w('conLoss', { node, peer, amount })];
      case 'slowDisk':
        return [w('conSlowDisk', { node, ms })];
      case 'fullDisk':
        return [w('conFullDisk', { node })];
      case 'brokenDisk':
        return [w('conBrokenDisk', { node })];
      case 'pause':
        return [w('conPause', { node })];
    }
  })();
  const left = reachableAfter(view, wish);
  if (left >= view.quorum) return own;
  return [...own, w('conNoQuorum', { left, n: view.members.length, quorum: view.quorum })];
}

export function activeText({ kind, node, peer, amount }: ActiveFault, w: RaftTranslate): string {
  const words = {
    cutBoth: 'actCutBoth',
    cutOut: 'actCutOut',
    cutIn: 'actCutIn',
    delay: 'actDelay',
    loss: 'actLoss',
    slowDisk: 'actSlowDisk',
    fullDisk: 'actFullDisk',
    brokenDisk: 'actBrokenDisk',
    paused: 'actPaused',
  } as const;
  return w(words[kind], { node, peer, ms: amount, amount });
}
