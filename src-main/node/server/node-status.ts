import { AlarmType } from '../../proto/etcd/rpc.ts';
import type { NodeStatus } from '../api/backend.ts';
import type { StateMachine } from '../apply/types.ts';
import type { RaftStatus } from '../raft/types.ts';

/** What a member says of itself when it is asked for its status; errors as etcd words them. */
export function nodeStatus(
  { leader, term, commit }: Pick<RaftStatus, 'leader' | 'term' | 'commit'>,
  { appliedIndex, alarms }: { appliedIndex: number; alarms: ReturnType<StateMachine['alarms']> },
  isLearner: boolean,
): NodeStatus {
  const errors = leader === 0n ? ['etcdserver: no leader'] : [];
  for (const { memberID, alarm } of alarms) {
    const type = alarm === AlarmType.NOSPACE ? 'NOSPACE' : 'CORRUPT';
    errors.push(`memberID:${memberID} alarm:${type} `);
  }
  // What a snapshot brought is committed; Raft hears of it only once the log has its mark.
  const commitIndex = Math.max(commit, appliedIndex);
  return { leader, raftTerm: term, commitIndex, appliedIndex, isLearner, errors };
}
