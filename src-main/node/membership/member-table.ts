import type { Member } from '../../proto/etcd/rpc.ts';
import type { PublishMember } from '../../proto/raftdeck/internal.ts';
import type { ConfState } from '../../proto/raftdeck/raft.ts';
import { decodeConfState, encodeConfState, META_CONF_STATE } from '../storage/schema/meta.ts';
import { idKey } from '../storage/schema/numbers.ts';
import { decodeMember, encodeMember } from '../storage/schema/small-tables.ts';
import type { StateStore } from '../storage/types.ts';

/** The members and Raft's configuration, which change together. */
export class MemberTable {
  readonly #store: StateStore;
  #members = new Map<bigint, Member>();
  #confState: ConfState | undefined;

  constructor(store: StateStore) {
    this.#store = store;
  }

  load(): void {
    this.#members = new Map();
    for (const { value } of this.#store.range('members', {})) {
      const member = decodeMember(value);
      this.#members.set(member.ID, member);
    }
    const row = this.#store.get('meta', META_CONF_STATE);
    this.#confState = row && decodeConfState(row);
  }

  get confState(): ConfState | undefined {
    return this.#confState;
  }

  /** Ordered by id. */
  list(): Member[] {
    return [...this.#members.values()].sort((a, b) => (a.ID < b.ID ? -1 : 1)).map(copy);
  }

  bootstrap(confState: ConfState, members: Member[]): void {
    this.#setConfState(confState);
    for (const member of members) this.#put(copy(member));
  }

  /**
   * The configuration decides who is a member and who a learner. `member` is the record of the one
   * that was added or changed; the name and client URLs that a member has published are kept where
   * the record has none.
   */
  change(confState: ConfState, member: Member | undefined): void {
    this.#setConfState(confState);
    const { voters, votersOutgoing, learners, learnersNext } = confState;
    const all = new Set([...voters, ...votersOutgoing, ...learners, ...learnersNext]);
    if (member !== undefined && all.has(member.ID)) {
      const known = this.#members.get(member.ID);
      this.#put({
        ...copy(member),
        name: member.name || (known?.name ?? ''),
        clientURLs:
          member.clientURLs.length > 0 ? [...member.clientURLs] : (known?.clientURLs ?? []),
      });
    }
    for (const id of [...this.#members.keys()]) if (!all.has(id)) this.#delete(id);
    const learning = new Set([...learners, ...learnersNext]);
    for (const known of this.#members.values()) {
      const isLearner = learning.has(known.ID);
      if (known.isLearner !== isLearner) this.#put({ ...known, isLearner });
    }
  }

  /** What a member says of itself. One that was removed meanwhile stays removed. */
  publish({ memberId, name, clientUrls }: PublishMember): void {
    const known = this.#members.get(memberId);
    if (known !== undefined) this.#put({ ...known, name, clientURLs: [...clientUrls] });
  }

  #put(member: Member): void {
    this.#members.set(member.ID, member);
    this.#store.put('members', idKey(member.ID), encodeMember(member));
  }

  #delete(id: bigint): void {
    this.#members.delete(id);
    this.#store.delete('members', idKey(id));
  }

  #setConfState(confState: ConfState): void {
    this.#confState = confState;
    this.#store.put('meta', META_CONF_STATE, encodeConfState(confState));
  }
}

function copy(member: Member): Member {
  return { ...member, peerURLs: [...member.peerURLs], clientURLs: [...member.clientURLs] };
}
