import type { Member } from '../../proto/etcd/rpc.ts';
import type { MemberUpdate, PublishMember } from '../../proto/raftdeck/internal.ts';
import type { ConfState } from '../../proto/raftdeck/raft.ts';
import { decodeConfState, encodeConfState, META_CONF_STATE } from '../storage/schema/meta.ts';
import { decodeIdKey, idKey } from '../storage/schema/numbers.ts';
import { decodeMember, encodeMember } from '../storage/schema/small-tables.ts';
import type { StateStore } from '../storage/types.ts';

/** The members and Raft's configuration, which change together. */
export class MemberTable {
  readonly #store: StateStore;
  #members = new Map<bigint, Member>();
  /** Ids are never used again, so those of removed members are kept: as rows without a record. */
  #removed = new Set<bigint>();
  #confState: ConfState | undefined;

  constructor(store: StateStore) {
    this.#store = store;
  }

  load(): void {
    this.#members = new Map();
    this.#removed = new Set();
    for (const { key, value } of this.#store.range('members', {})) {
      if (value.length === 0) {
        this.#removed.add(decodeIdKey(key));
        continue;
      }
      const member = decodeMember(value);
      this.#members.set(member.ID, member);
    }
    const row = this.#store.get('meta', META_CONF_STATE);
    this.#confState = row && decodeConfState(row);
  }

  get confState(): ConfState | undefined {
    return this.#confState;
  }

  isRemoved(id: bigint): boolean {
    return this.#removed.has(id);
  }

  /** Ordered by id. */
  list(): Member[] {
    return [...this.#members.values()].sort((a, b) => (a.ID < b.ID ? -1 : 1)).map(copy);
  }

  /** Replaces what another first start, cut short, may have left. */
  bootstrap(confState: ConfState, members: Member[]): void {
    for (const { ID } of this.list()) this.#store.delete('members', idKey(ID));
    this.#members = new Map();
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
    for (const id of [...this.#members.keys()]) if (!all.has(id)) this.#remove(id);
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

  /** The caller has checked that it is a member. */
  update({ memberId, peerUrls }: MemberUpdate): void {
    const known = this.#members.get(memberId);
    if (known !== undefined) this.#put({ ...known, peerURLs: [...peerUrls] });
  }

  #put(member: Member): void {
    this.#members.set(member.ID, member);
    this.#store.put('members', idKey(member.ID), encodeMember(member));
  }

  #remove(id: bigint): void {
    this.#members.delete(id);
    this.#removed.add(id);
    this.#store.put('members', idKey(id), Buffer.alloc(0));
  }

  #setConfState(confState: ConfState): void {
    this.#confState = confState;
    this.#store.put('meta', META_CONF_STATE, encodeConfState(confState));
  }
}

function copy(member: Member): Member {
  return { ...member, peerURLs: [...member.peerURLs], clientURLs: [...member.clientURLs] };
}
