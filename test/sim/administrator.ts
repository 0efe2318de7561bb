import { idToHex } from '../../src-main/base/bytes.ts';
import { Chance } from './chance.ts';
import { peerUrl, type SimCluster } from './cluster.ts';
import { count } from './coverage.ts';
import { Operations } from './operations.ts';
import { SimClient } from './sim-client.ts';
import type { SimMember } from './sim-member.ts';
import { makeRoom } from './workload.ts';

const MAX_MEMBERS = 7;
/** A change that was not answered may come true for so long. */
export const UNSURE_MS = 30_000;

/** Whoever runs the cluster: changes its membership and leader, replaces what is lost, makes room. */
export class Administrator {
  readonly #cluster: SimCluster;
  readonly #chance: Chance;
  readonly #operations: Operations;
  readonly #everyMs: number;
  /** Whether this seed changes the membership at all, beside replacing what is lost. */
  readonly #changes: boolean;
  #stopped = false;
  #busy = false;

  constructor(cluster: SimCluster, withChanges: boolean) {
    this.#cluster = cluster;
    this.#chance = Chance.of(cluster.seed, 'administrator');
    const client = new SimClient(0, cluster.world, this.#chance, cluster.recorder);
    this.#operations = new Operations(cluster.history, client);
    this.#everyMs = this.#chance.pick([1_000, 3_000, 10_000]) ?? 3_000;
    this.#changes = this.#chance.happens(0.6) && withChanges;
  }

  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
  }

  get isBusy(): boolean {
    return this.#busy;
  }

  async #run(): Promise<void> {
    const { world } = this.#cluster;
    while (!this.#stopped) {
      await world.sleep(this.#chance.around(this.#everyMs));
      if (this.#stopped) return;
      this.#busy = true;
      this.#cluster.membershipChanges = true;
      await this.#act();
      this.#cluster.membershipChanges = false;
      this.#busy = false;
    }
  }

  async #act(): Promise<void> {
    const member = this.#chance.pick(this.#cluster.running());
    if (member === undefined) return;
    await makeRoom(this.#cluster, member, this.#operations);
    if (await this.replaceLost(member)) return;
    if (!this.#changes || this.#cluster.isLosing) return;
    if (this.#chance.happens(0.25)) await this.#changeAtOnce(member);
    else await this.#change(member);
  }

  /** Two who do not know of each other, at two members: only one change may be under way, and both must be answered. */
  async #changeAtOnce(member: SimMember): Promise<void> {
    const cluster = this.#cluster;
    const other = this.#chance.pick(cluster.running().filter((one) => one !== member)) ?? member;
    if (this.#chance.happens(0.4)) {
      await this.#add(member, other);
      return;
    }
    const voters = cluster.leader()?.node?.raftStatus().confState.voters.length ?? 0;
    const second = voters > 4 ? this.#remove(other) : this.#add(other);
    await Promise.all([this.#add(member), second]);
  }

  async #change(member: SimMember): Promise<void> {
    const draw = this.#chance.share();
    if (draw < 0.3) await this.#transfer();
    else if (draw < 0.55) await this.#add(member);
    else if (draw < 0.75) await this.#promote();
    else await this.#remove(member);
  }

  /** True if there was one to replace. */
  async replaceLost(member: SimMember): Promise<boolean> {
    const lost = this.#cluster.members.find(({ phase }) => phase === 'lost');
    if (lost?.memberId === undefined) return false;
    const id = idToHex(lost.memberId);
    const isKnown = member.node?.members().some(({ ID }) => ID === lost.memberId) ?? true;
    if (isKnown) {
      const { outcome } = await this.#operations.memberRemove(member, id);
      if (!outcome.ok && outcome.error === 'unknown') this.#unsure();
      if (!outcome.ok && outcome.code !== 'MemberNotFound') return true;
    }
    const stillKnown = this.#cluster
      .running()
      .some(({ node }) => node?.members().some(({ ID }) => ID === lost.memberId));
    if (stillKnown) return true;
    lost.phase = 'removed';
    this.#cluster.recorder.leftCluster(lost);
    count(this.#cluster.recorder.coverage, 'replacements');
    await this.#add(member);
    return true;
  }

  async #transfer(): Promise<void> {
    const leader = this.#cluster.leader();
    const target = this.#chance.pick(leader?.node?.members() ?? []);
    if (leader === undefined || target === undefined) return;
    this.#cluster.recorder.fault('transfer', [leader], idToHex(target.ID));
    await this.#operations.moveLeader(leader, idToHex(target.ID));
  }

  /** With two members to ask, both are asked: one of them must be refused. */
  async #add(member: SimMember, other?: SimMember): Promise<void> {
    const cluster = this.#cluster;
    if (cluster.present().length >= MAX_MEMBERS) return;
    const isLearner = this.#chance.happens(0.5);
    const newcomer = cluster.newcomer();
    cluster.recorder.fault('add', [newcomer], isLearner ? 'learner' : 'voter');
    const url = peerUrl(newcomer.name);
    const asked = other === undefined ? [member] : [member, other];
    const add = (one: SimMember) => this.#operations.memberAdd(one, url, isLearner);
    const outcomes = (await Promise.all(asked.map(add))).map(({ outcome }) => outcome);
    if (outcomes.every((one) => !one.ok && one.error === 'definite')) {
      newcomer.phase = 'removed';
      return;
    }
    if (outcomes.some((one) => !one.ok && one.error === 'unknown')) this.#unsure();
    newcomer.start();
  }

  async #promote(): Promise<void> {
    const leader = this.#cluster.leader();
    const learner = leader?.node?.members().find(({ isLearner }) => isLearner);
    const member = this.#chance.pick(this.#cluster.running());
    if (learner === undefined || member === undefined) return;
    this.#cluster.recorder.fault('promote', [], idToHex(learner.ID));
    const { outcome } = await this.#operations.memberPromote(member, idToHex(learner.ID));
    if (!outcome.ok && outcome.error === 'unknown') this.#unsure();
  }

  async #remove(member: SimMember): Promise<void> {
    const cluster = this.#cluster;
    const victim = this.#chance.pick(cluster.present());
    // Of two members the one that goes may be the only one to know that it went: then the other
    // has no quorum to learn it from, for good (as in etcd).
    const voters = cluster.leader()?.node?.raftStatus().confState.voters.length ?? 0;
    if (victim?.memberId === undefined || voters <= 2) return;
    cluster.recorder.fault('remove', [victim]);
    const { outcome } = await this.#operations.memberRemove(member, idToHex(victim.memberId));
    if (!outcome.ok && outcome.error === 'unknown') this.#unsure();
  }

  #unsure(): void {
    const cluster = this.#cluster;
    cluster.membershipUnsureUntilMs = cluster.world.nowMs + UNSURE_MS;
  }
}
