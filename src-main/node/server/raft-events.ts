import { type Event, EventKind, Role as RoleName } from '../../proto/raftdeck/inspect.ts';
import type { Role } from '../raft/types.ts';

/** Older ones go: a window onto a cluster asks more often than this many things happen. */
export const MAX_EVENTS = 512;

const ROLES: Readonly<Record<Role, RoleName>> = {
  follower: RoleName.FOLLOWER,
  preCandidate: RoleName.PRE_CANDIDATE,
  candidate: RoleName.CANDIDATE,
  leader: RoleName.LEADER,
};

export function roleName(role: Role): RoleName {
  return ROLES[role];
}

/** What happened to one member's Raft, numbered from 1 in each life of the process, the newest MAX_EVENTS of it. */
export class RaftEvents {
  readonly #nowMs: () => number;
  #events: Event[] = [];
  #count = 0;

  /** Unix milliseconds. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  add(kind: EventKind, details: Partial<Pick<Event, 'term' | 'role' | 'member' | 'index'>> = {}) {
    this.#count++;
    const { term = 0, role = RoleName.FOLLOWER, member = 0n, index = 0 } = details;
    this.#events.push({
      ...{ number: this.#count, atMs: this.#nowMs(), kind },
      ...{ term, role, member, index },
    });
    if (this.#events.length > MAX_EVENTS) this.#events.shift();
  }

  /** A change of role or leader, as the events that it means. */
  leadership(
    before: { leader: bigint; role: Role },
    { leader, role, term }: { leader: bigint; role: Role; term: number },
  ): void {
    const details = { term, role: roleName(role) };
    if (before.leader !== 0n && leader === 0n) {
      this.add(EventKind.LEADER_LOST, { ...details, member: before.leader });
    }
    if (role !== before.role) this.add(EventKind.ROLE, details);
    if (leader !== 0n && leader !== before.leader) {
      this.add(EventKind.LEADER_KNOWN, { ...details, member: leader });
    }
  }

  /** What came after that number; `lost`: not all of it is there any more. */
  after(number: number): { events: Event[]; lost: boolean } {
    const events = this.#events.filter((event) => event.number > number);
    return { events, lost: this.#count - number > events.length };
  }
}
