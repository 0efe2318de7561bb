import type { ConfChange } from '../../proto/raftdeck/raft.ts';
import { MessageType } from '../../proto/raftdeck/raft.ts';
import { applyChange, type Configuration } from './confchange.ts';
import type { RaftCore } from './core.ts';
import { trackMembers } from './election.ts';
import { autoLeave } from './leader.ts';
import type { Progress } from './progress.ts';
import { confirmReads, flushAppends, maybeCommit } from './replication.ts';
import { NONE } from './types.ts';

/**
 * A configuration takes effect when its entry is applied (etcd raft), so every leader so far has
 * checked it.
 */
export function applyConfChange(core: RaftCore, change: ConfChange): void {
  switchTo(core, applyChange(core.configuration, change));
}

export function switchTo(core: RaftCore, configuration: Configuration): void {
  core.configuration = configuration;
  if (core.role !== 'leader') return;
  trackMembers(core);
  // With fewer voters a lower count may do.
  maybeCommit(core);
  confirmReads(core);
  if (!core.isVoter) {
    stepDown(core);
    return;
  }
  if (core.transferee !== NONE && !core.configuration.incoming.has(core.transferee)) {
    core.transferee = NONE;
  }
  autoLeave(core);
}

/**
 * The entry that removed this leader is committed. Tell the others, and let the most current one
 * take over.
 */
function stepDown(core: RaftCore): void {
  flushAppends(core);
  let successor: Progress | undefined;
  for (const progress of core.progress.values()) {
    if (!core.configuration.incoming.has(progress.id) || !progress.recentActive) continue;
    if (successor === undefined || progress.match > successor.match) successor = progress;
  }
  if (successor?.match === core.log.lastIndex) {
    core.send({ type: MessageType.TIMEOUT_NOW, to: successor.id });
  }
  core.becomeFollower(core.term, NONE);
}
