import type { History } from '../history.ts';
import { checkLeases } from './lease.ts';
import { checkLinearizable } from './linearizable.ts';
import { checkQuota } from './quota.ts';
import { checkRaft } from './raft.ts';
import { checkRevisions } from './revisions.ts';
import { checkSerializableReads } from './serializable-reads.ts';
import { Truth } from './truth.ts';
import type { Violation } from './violation.ts';
import { checkWatches } from './watch.ts';

export type { Violation } from './violation.ts';

/** Every oracle over one recorded run. What a run did not record, such as logs, is not judged. */
export function checkHistory(history: History): Violation[] {
  const truth = new Truth(history);
  return [
    ...checkRaft(history),
    ...checkRevisions(history, truth),
    ...checkLinearizable(history, truth),
    ...checkSerializableReads(history, truth),
    ...checkWatches(history, truth),
    ...checkLeases(history, truth),
    ...checkQuota(history),
  ];
}
