import { idToHex } from '../../src-main/base/bytes.ts';
import { type ConfState, type Entry, EntryType } from '../../src-main/proto/raftdeck/raft.ts';

/** The log that takes the entries, as it was before. */
export interface TakenBy {
  term(index: number): number | undefined;
}

/**
 * Changes of the configuration, as they come into logs: the next one is not proposed before the one before it is
 * applied by its leader (thesis 4.1, as etcd has it).
 */
export class ConfChanges {
  /** Terms of those that any log has taken, by index. */
  readonly #taken = new Map<number, Set<number>>();

  /**
   * Answers what is wrong, if anything is. `applied` is the highest index that any member has applied: the leader that
   * proposes a change has applied the one before, so that it is not above it, whoever's log is seen first.
   */
  taken(entries: readonly Entry[], log: TakenBy, applied: number): string | undefined {
    let complaint: string | undefined;
    for (const { index, term, type } of entries) {
      if (type !== EntryType.CONF_CHANGE) continue;
      const terms = this.#taken.get(index) ?? new Set();
      this.#taken.set(index, terms);
      if (terms.has(term)) continue;
      for (let at = applied + 1; at < index; at++) {
        const own = entries.find((entry) => entry.index === at)?.term ?? log.term(at);
        if (own === undefined || this.#taken.get(at)?.has(own) !== true) continue;
        complaint ??= `the change at ${index} was proposed while the one at ${at} was not applied`;
      }
      terms.add(term);
    }
    return complaint;
  }
}

/** What Raft goes by is what the replicated state says, once both stand at the same entry: else what each says. */
export function configurationConflict(
  raft: ConfState,
  state: ConfState | undefined,
): string | undefined {
  if (state === undefined) return undefined;
  const isSame =
    isSameSet(raft.voters, state.voters) &&
    isSameSet(raft.learners, state.learners) &&
    isSameSet(raft.votersOutgoing, state.votersOutgoing) &&
    isSameSet(raft.learnersNext, state.learnersNext);
  return isSame ? undefined : `Raft goes by ${describe(raft)}; the state says ${describe(state)}`;
}

function describe({ voters, learners, votersOutgoing }: ConfState): string {
  const list = (ids: readonly bigint[]) => ids.map(idToHex).join() || 'none';
  return `voters ${list(voters)}, learners ${list(learners)}, leaving ${list(votersOutgoing)}`;
}

function isSameSet(some: readonly bigint[], other: readonly bigint[]): boolean {
  return some.length === other.length && some.every((id) => other.includes(id));
}
