import { LEASE_BUGS } from './lease.ts';
import { LOG_BUGS } from './log.ts';
import { MEMBER_BUGS } from './members.ts';
import { RAFT_BUGS } from './raft.ts';
import { READ_BUGS } from './reads.ts';
import { STATE_BUGS } from './state.ts';
import type { PlantedBug } from './types.ts';
import { WATCH_BUGS } from './watch.ts';

/** Every bug that the simulator is known to find, or known not to. */
export const PLANTED: readonly PlantedBug[] = [
  ...RAFT_BUGS,
  ...READ_BUGS,
  ...LOG_BUGS,
  ...STATE_BUGS,
  ...WATCH_BUGS,
  ...LEASE_BUGS,
  ...MEMBER_BUGS,
];
