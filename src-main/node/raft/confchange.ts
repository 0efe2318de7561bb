import { CodedError } from '../../base/errors.ts';
import {
  type ConfChange,
  type ConfChangeSingle,
  ConfChangeSingle_Type,
} from '../../proto/raftdeck/raft.ts';
import type { VoterSets } from './quorum.ts';
import type { ConfState, RaftId } from './types.ts';

/** Who votes and who only listens. Values are replaced, never changed in place. */
export interface Configuration extends VoterSets {
  readonly learners: ReadonlySet<RaftId>;
  /** Voters of the outgoing half that become learners when the joint configuration is left. */
  readonly learnersNext: ReadonlySet<RaftId>;
  /** The leader proposes to leave the joint configuration as soon as it is applied. */
  readonly autoLeave: boolean;
}

interface Draft extends Configuration {
  readonly incoming: Set<RaftId>;
  readonly learners: Set<RaftId>;
  readonly learnersNext: Set<RaftId>;
}

export type ConfChangeErrorCode = 'InvalidConfChange';

function invalid(message: string): CodedError<ConfChangeErrorCode> {
  return new CodedError('InvalidConfChange', message);
}

export function configurationOf(state: ConfState): Configuration {
  const config: Configuration = {
    incoming: new Set(state.voters),
    outgoing: new Set(state.votersOutgoing),
    learners: new Set(state.learners),
    learnersNext: new Set(state.learnersNext),
    autoLeave: state.autoLeave,
  };
  checkConfiguration(config);
  return config;
}

function sorted(ids: ReadonlySet<RaftId>): RaftId[] {
  return [...ids].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Every list ascending, so that equal configurations have equal states. */
export function confStateOf(config: Configuration): ConfState {
  return {
    voters: sorted(config.incoming),
    learners: sorted(config.learners),
    votersOutgoing: sorted(config.outgoing),
    learnersNext: sorted(config.learnersNext),
    autoLeave: config.autoLeave,
  };
}

export function isJoint(config: Configuration): boolean {
  return config.outgoing.size > 0;
}

export function isVoter(config: Configuration, id: RaftId): boolean {
  return config.incoming.has(id) || config.outgoing.has(id);
}

export function isMember(config: Configuration, id: RaftId): boolean {
  return isVoter(config, id) || config.learners.has(id);
}

/** Voters of both halves and learners, ascending. */
export function membersOf(config: Configuration): RaftId[] {
  return sorted(new Set([...config.incoming, ...config.outgoing, ...config.learners]));
}

/** One member decides alone: nobody has to be asked for votes, commits or reads. */
export function isSoleVoter(config: Configuration, id: RaftId): boolean {
  return !isJoint(config) && config.incoming.size === 1 && config.incoming.has(id);
}

/** An empty change leaves the joint configuration. */
export function isLeave(change: ConfChange): boolean {
  return change.changes.length === 0 && !change.explicitJoint;
}

/**
 * The configuration after the change (thesis 4.1 and 4.3): at most one voter differs, and the
 * change takes effect at once; more than one, or explicitJoint, and a joint configuration comes
 * first, which is left by an empty change. With explicitJoint the proposer leaves it; otherwise the
 * leader does so by itself.
 * @throws CodedError InvalidConfChange
 */
export function applyChange(config: Configuration, change: ConfChange): Configuration {
  if (isLeave(change)) return leaveJoint(config);
  if (isJoint(config)) throw invalid('a joint configuration is in force');
  if (change.explicitJoint) return enterJoint(config, change.changes, false);
  const next = simple(config, change.changes);
  if (votersChanged(config, next) <= 1) return next;
  return enterJoint(config, change.changes, true);
}

/** All changes in one step. The caller makes sure that at most one voter differs. */
function simple(config: Configuration, changes: readonly ConfChangeSingle[]): Configuration {
  return build(config, new Set(), changes, false);
}

export function enterJoint(
  config: Configuration,
  changes: readonly ConfChangeSingle[],
  autoLeave: boolean,
): Configuration {
  if (isJoint(config)) throw invalid('a joint configuration is in force');
  if (config.incoming.size === 0) throw invalid('no voters to start from');
  return build(config, new Set(config.incoming), changes, autoLeave);
}

export function leaveJoint(config: Configuration): Configuration {
  if (!isJoint(config)) throw invalid('no joint configuration to leave');
  const next: Configuration = {
    incoming: config.incoming,
    outgoing: new Set(),
    learners: new Set([...config.learners, ...config.learnersNext]),
    learnersNext: new Set(),
    autoLeave: false,
  };
  checkConfiguration(next);
  return next;
}

function build(
  config: Configuration,
  outgoing: ReadonlySet<RaftId>,
  changes: readonly ConfChangeSingle[],
  autoLeave: boolean,
): Configuration {
  const draft: Draft = {
    incoming: new Set(config.incoming),
    outgoing,
    learners: new Set(config.learners),
    learnersNext: new Set(),
    autoLeave,
  };
  for (const change of changes) applySingle(draft, change);
  if (draft.incoming.size === 0) throw invalid('the last voter cannot be removed');
  checkConfiguration(draft);
  return draft;
}

function applySingle(draft: Draft, change: ConfChangeSingle): void {
  const id = change.nodeId;
  if (id === 0n) throw invalid('a change names no member');
  switch (change.type) {
    case ConfChangeSingle_Type.ADD_VOTER:
      draft.learners.delete(id);
      draft.learnersNext.delete(id);
      draft.incoming.add(id);
      return;
    case ConfChangeSingle_Type.ADD_LEARNER:
      draft.incoming.delete(id);
      // It still votes in the outgoing half, and one member is never voter and learner at a time.
      if (draft.outgoing.has(id)) draft.learnersNext.add(id);
      else draft.learners.add(id);
      return;
    case ConfChangeSingle_Type.REMOVE:
      draft.incoming.delete(id);
      draft.learners.delete(id);
      draft.learnersNext.delete(id);
      return;
    default:
      throw invalid(`unknown change type ${String(change.type)}`);
  }
}

/** How many voters are in one of the two configurations only. */
function votersChanged(before: Configuration, after: Configuration): number {
  let changed = 0;
  for (const id of before.incoming) if (!after.incoming.has(id)) changed++;
  for (const id of after.incoming) if (!before.incoming.has(id)) changed++;
  return changed;
}

function checkConfiguration(config: Configuration): void {
  for (const id of config.learners) {
    if (isVoter(config, id)) throw invalid(`member ${id} is both voter and learner`);
  }
  for (const id of config.learnersNext) {
    if (!config.outgoing.has(id)) throw invalid(`member ${id} is to be demoted but does not vote`);
    if (config.incoming.has(id)) throw invalid(`member ${id} is both promoted and demoted`);
  }
  if (!isJoint(config) && config.autoLeave)
    throw invalid('autoLeave outside a joint configuration');
  if (isJoint(config) && config.incoming.size === 0) throw invalid('a joint half has no voters');
}
