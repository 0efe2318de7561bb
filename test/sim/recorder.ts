import { idToHex } from '../../src-main/base/bytes.ts';
import { errorMessage } from '../../src-main/base/errors.ts';
import type { ApplyResult } from '../../src-main/node/apply/types.ts';
import type { RaftStatus } from '../../src-main/node/raft/types.ts';
import type { Opened } from '../../src-main/node/server/bootstrap.ts';
import type { WalBatch } from '../../src-main/node/wal/types.ts';
import { AlarmType } from '../../src-main/proto/etcd/rpc.ts';
import type { InternalRequest } from '../../src-main/proto/raftdeck/internal.ts';
import type { Message } from '../../src-main/proto/raftdeck/raft.ts';
import { effectsAt } from './applied-effects.ts';
import { ConfChanges, configurationConflict } from './conf-changes.ts';
import { type Counted, type Coverage, count, emptyCoverage } from './coverage.ts';
import type {
  AppliedEntry,
  FaultEvent,
  History,
  KvHash,
  LogObservation,
  MemberObservation,
} from './history.ts';
import { LogMirror } from './log-mirror.ts';
import { Promises } from './promises.ts';
import type { SimMember } from './sim-member.ts';
import { describeError, type World } from './world.ts';

export interface Violation {
  atMs: number;
  property: string;
  detail: string;
}

/** Lines kept for the trace of a failure. */
const MAX_TRACE_LINES = 400;
const COUNTED: ReadonlyMap<string, Counted> = new Map([
  ['snapshot sent', 'snapshots sent'],
  ['snapshot not sent', 'snapshots failed'],
  ['snapshot installed', 'snapshots installed'],
  ['log compacted', 'logs compacted'],
  ['cut a torn tail off the write-ahead log', 'torn tails cut'],
  ['compacted automatically', 'automatic compactions'],
]);
/** A run that has failed so often says nothing new. */
const MAX_VIOLATIONS = 20;

/** Writes the history and looks at once for what must never be, so that a run ends where it went wrong. */
export class Recorder {
  readonly world: World;
  readonly history: History;
  readonly violations: Violation[] = [];
  readonly traceLines: string[] = [];
  readonly coverage: Coverage = emptyCoverage();
  readonly logs = new Map<SimMember, LogMirror>();
  /** By index, as the first member applied it: all others must have the same. */
  readonly #applied: AppliedEntry[] = [];
  /** By index, the term that whoever applied it first was in: it was committed in that one or an earlier one. */
  readonly #appliedIn: number[] = [];
  readonly #promises = new Promises();
  readonly #confChanges = new ConfChanges();
  /** A compaction was applied for the first time. */
  onCompaction: () => void = () => {};
  /** A member's configuration, and the one before. */
  readonly #voters = new Map<SimMember, () => (readonly bigint[])[]>();
  readonly #leaders = new Map<number, bigint>();
  readonly #revisions = new Map<SimMember, { incarnation: number; revision: number }>();
  readonly #hashes = new Map<string, { member: string; hash: number }>();

  constructor(world: World, history: History) {
    this.world = world;
    this.history = history;
  }

  /** Highest index that any member applied. */
  get appliedIndex(): number {
    return this.#applied.length - 1;
  }

  trace(line: string): void {
    this.traceLines.push(`${(this.world.nowMs / 1000).toFixed(4)}s ${line}`);
    if (this.traceLines.length > 2 * MAX_TRACE_LINES) this.traceLines.splice(0, MAX_TRACE_LINES);
  }

  fault(kind: string, members: SimMember[], detail = ''): void {
    const names = members.map(({ name }) => name);
    const event: FaultEvent = { atMs: this.world.nowMs, kind, members: names, detail };
    this.history.faults.push(event);
    this.trace(`fault ${kind} ${names.join()} ${detail}`);
  }

  violation(property: string, where: string, what: unknown): void {
    const detail = `${where}: ${what instanceof Error ? describeError(what) : errorMessage(what)}`;
    if (this.violations.length < MAX_VIOLATIONS) {
      this.violations.push({ atMs: this.world.nowMs, property, detail });
    }
    this.trace(`VIOLATION ${property} ${detail}`);
  }

  leftCluster(member: SimMember): void {
    this.logs.delete(member);
  }

  logged(member: SimMember, message: string, fields: Record<string, unknown>): void {
    const counted = COUNTED.get(message);
    if (counted !== undefined) count(this.coverage, counted);
    if (message === 'raft state') {
      const { role, term } = fields as { role: string; term: number };
      if (role === 'leader') this.#leads(member, term);
      if (role !== 'leader' && role !== 'follower') return;
    }
    if (message.startsWith('peer ')) return;
    this.trace(`${member.name} log: ${message} ${JSON.stringify(fields)}`);
  }

  /** A process has opened its folder: from here on its log and its state are watched. */
  opened(member: SimMember, { wal, store, state, restore }: Opened): void {
    count(this.coverage, 'starts');
    const mirror = new LogMirror(restore);
    this.logs.set(member, mirror);
    const { term, vote } = restore.hardState;
    const restored = { term, vote, lastIndex: mirror.lastIndex };
    this.#promises.opened(member.memberId ?? 0n, restored, (property, detail) =>
      this.violation(property, member.name, detail),
    );
    const { process } = member;
    const voters = [restore.confState.voters];
    this.#voters.set(member, () => [state.confState?.voters ?? [], ...voters]);
    const append = wal.append.bind(wal);
    wal.append = async (batches) => {
      if (process.alive) this.#logs(member, mirror, batches);
      const upTo = mirror.lastIndex;
      await append(batches);
      mirror.durable = Math.max(mirror.durable, Math.min(upTo, mirror.lastIndex));
    };
    const apply = state.apply.bind(state);
    state.apply = (index, term, request) => {
      // What a dead process still computes is nobody's.
      if (!process.passes('apply')) return apply(index, term, request);
      const keys = this.#keysOfLease(index, request, (id) => state.leaseKeys(id));
      const before = state.revision;
      const result = apply(index, term, request);
      if (state.revision > before && this.#applied[index] === undefined) {
        const { revision } = state;
        const atMs = this.world.nowMs;
        this.history.writes?.push({ atMs, revision, effects: effectsAt(store, revision) });
      }
      if (result.ok && request.request?.$case === 'compaction') {
        const { revision } = request.request.value;
        this.history.compactions?.push({ atMs: this.world.nowMs, revision });
        if (this.#applied[index] === undefined) this.onCompaction();
      }
      this.#appliedAt(member, index, term, digestOf(request, result), state.revision);
      if (result.ok) this.#leaseChanged(index, request, state.revision, keys);
      return result;
    };
    const applyEmpty = state.applyEmpty.bind(state);
    state.applyEmpty = (index, term) => {
      applyEmpty(index, term);
      if (process.alive) this.#appliedAt(member, index, term, 0, state.revision);
    };
    const applyConfChange = state.applyConfChange.bind(state);
    state.applyConfChange = (index, term, confState, changed) => {
      voters[0] = state.confState?.voters ?? [];
      applyConfChange(index, term, confState, changed);
      const digest = confState.voters.reduce((sum, id) => sum + Number(id & 0xffffffn), 1);
      if (process.alive) this.#appliedAt(member, index, term, digest, state.revision);
    };
  }

  /** A member sends something to others. */
  sent(member: SimMember, messages: readonly Message[]): void {
    const log = this.logs.get(member);
    if (log === undefined) return;
    this.#promises.sent(messages, log, (property, detail) =>
      this.violation(property, member.name, detail),
    );
  }

  #logs(member: SimMember, mirror: LogMirror, batches: readonly WalBatch[]): void {
    for (const batch of batches) {
      const wrong = this.#confChanges.taken(batch.entries ?? [], mirror, this.appliedIndex);
      if (wrong !== undefined) this.violation('one change at a time', member.name, wrong);
      mirror.note(batch);
    }
    const term = member.node?.raftStatus().term ?? 0;
    this.#promises.logged(member.memberId ?? 0n, term, mirror.lastIndex, (property, detail) =>
      this.violation(property, member.name, detail),
    );
  }

  /**
   * Whoever applies an entry first: by then a majority of the voters has it on the disk (thesis 3.6). The leader may
   * have counted by the configuration before the last change.
   */
  #checkMajority(member: SimMember, index: number, term: number): void {
    if (this.#applied[index] !== undefined) return;
    const logs = new Map([...this.logs].map(([{ memberId }, log]) => [memberId, log]));
    const holds = (voters: readonly bigint[]) => {
      if (voters.some((id) => !logs.has(id))) return true;
      return voters.filter((id) => logs.get(id)?.holds(index, term)).length * 2 > voters.length;
    };
    const known = this.#voters.get(member)?.() ?? [];
    if (known.length === 0 || known.some(holds)) return;
    this.violation(
      'commitment',
      member.name,
      `applies ${index}, which no majority has on the disk`,
    );
  }

  /** Looks at a running member; answers what it saw. */
  observe(member: SimMember, hash?: KvHash): MemberObservation | undefined {
    const { node } = member;
    if (node === undefined || !member.process.alive) return undefined;
    const status = node.raftStatus();
    const { state } = node;
    if (hash !== undefined) this.#checkHash(member, hash);
    // A snapshot is in place of the state, and Raft is yet to be told.
    if (state.appliedIndex !== status.applied) return undefined;
    const conflict = configurationConflict(status.confState, state.confState);
    if (conflict !== undefined) this.violation('configuration', member.name, conflict);
    const observation: MemberObservation = {
      atMs: this.world.nowMs,
      member: member.name,
      memberId: idToHex(status.id),
      incarnation: member.incarnation,
      role: status.role,
      term: status.term,
      vote: status.vote === 0n ? '0' : idToHex(status.vote),
      leader: status.leader === 0n ? '0' : idToHex(status.leader),
      commit: status.commit,
      applied: status.applied,
      firstIndex: status.firstIndex,
      lastIndex: status.lastIndex,
      revision: state.revision,
      compactRevision: state.compactRevision,
      voters: status.confState.voters.map(idToHex),
      learners: status.confState.learners.map(idToHex),
      alarms: state.alarms().map(({ memberID, alarm }) => ({
        member: idToHex(memberID),
        alarm: alarm === AlarmType.NOSPACE ? 'NOSPACE' : 'CORRUPT',
      })),
      stateBytes: node.size().fileBytes,
      hash,
    };
    this.history.observations.push(observation);
    // Nothing in a simulation spoils a state and leaves the member in the cluster.
    if (observation.alarms.some(({ alarm }) => alarm === 'CORRUPT')) {
      this.violation('corrupt alarm', member.name, 'a member is said to hold other data');
    }
    this.#checkIndexes(member, status);
    this.#checkRevision(member, state.revision);
    return observation;
  }

  /** Every running member's log, for the oracles, and a look at whether they match. */
  observeLogs(members: readonly SimMember[]): void {
    const seen: LogObservation[] = [];
    for (const member of members) {
      const mirror = this.logs.get(member);
      const status = member.node?.raftStatus();
      if (mirror === undefined || status === undefined || !member.process.alive) continue;
      seen.push({
        atMs: this.world.nowMs,
        member: member.name,
        incarnation: member.incarnation,
        term: status.term,
        role: status.role,
        commit: status.commit,
        entries: mirror.entries(),
      });
      this.#checkAgainstApplied(member, mirror, 'log matching');
    }
    this.history.logs.push(...seen);
  }

  #leads(member: SimMember, term: number): void {
    count(this.coverage, 'elections');
    const id = member.memberId ?? 0n;
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== id) {
      this.violation('election safety', member.name, `term ${term} has two leaders`);
    }
    this.#leaders.set(term, id);
    const mirror = this.logs.get(member);
    if (mirror === undefined) return;
    // One that is paused as it wins may find out when leaders of later terms have gone further.
    const before = this.#appliedIn.findLastIndex((inTerm) => inTerm < term);
    if (mirror.lastIndex < before) {
      const text = `leads in term ${term} with ${mirror.lastIndex}, applied before was ${before}`;
      this.violation('leader completeness', member.name, text);
    }
    this.#checkAgainstApplied(member, mirror, 'leader completeness', before);
  }

  /** Entries that somebody applied are committed: nobody may have others that it takes for committed. */
  #checkAgainstApplied(
    member: SimMember,
    mirror: LogMirror,
    property: string,
    upTo = Math.min(mirror.commit, this.appliedIndex),
  ): void {
    for (let index = mirror.firstIndex; index <= Math.min(upTo, mirror.lastIndex); index++) {
      const known = this.#applied[index];
      const term = mirror.term(index);
      if (known === undefined || term === known.term) continue;
      const text = `entry ${index} is of term ${term}, ${known.member} applied term ${known.term}`;
      this.violation(property, member.name, text);
      return;
    }
  }

  #appliedAt(
    member: SimMember,
    index: number,
    term: number,
    digest: number,
    revision: number,
  ): void {
    const entry: AppliedEntry = {
      atMs: this.world.nowMs,
      member: member.name,
      incarnation: member.incarnation,
      index,
      term,
      digest,
      revision,
    };
    this.#checkMajority(member, index, term);
    this.history.applied.push(entry);
    const first = this.#applied[index];
    if (first === undefined) {
      this.#applied[index] = entry;
      this.#appliedIn[index] = member.node?.raftStatus().term ?? Number.POSITIVE_INFINITY;
      return;
    }
    if (first.term === term && first.digest === digest && first.revision === revision) return;
    const say = (e: AppliedEntry) => `term ${e.term} digest ${e.digest} revision ${e.revision}`;
    const text = `entry ${index}: ${say(entry)}, but ${first.member}: ${say(first)}`;
    this.violation('state machine safety', member.name, text);
  }

  #keysOfLease(
    index: number,
    { request }: InternalRequest,
    keysOf: (id: bigint) => Buffer[],
  ): string[] {
    if (request?.$case !== 'leaseRevoke' || this.#applied[index] !== undefined) return [];
    return keysOf(request.value.ID).map((key) => key.toString('latin1'));
  }

  /** Called once per entry, by the member that applied it first. */
  #leaseChanged(
    index: number,
    { request }: InternalRequest,
    revision: number,
    keys: string[],
  ): void {
    const first = this.#applied[index];
    const atMs = this.world.nowMs;
    if (first === undefined || first.atMs !== atMs) return;
    if (this.history.applied.at(-1) !== first) return;
    if (request?.$case === 'leaseGrant') {
      const { ID, TTL } = request.value;
      const lease = idToHex(ID);
      const event = { lease, kind: 'granted' as const, atMs, revision, ttlSeconds: TTL, keys: [] };
      this.history.leases.push(event);
    } else if (request?.$case === 'leaseRevoke') {
      const lease = idToHex(request.value.ID);
      this.history.leases.push({ lease, kind: 'gone', atMs, revision, ttlSeconds: 0, keys });
    }
  }

  #checkIndexes(member: SimMember, status: RaftStatus): void {
    const { applied, commit, lastIndex, firstIndex } = status;
    const inOrder = applied <= commit && commit <= lastIndex && firstIndex <= lastIndex + 1;
    if (inOrder) return;
    const text = `first ${firstIndex}, applied ${applied}, commit ${commit}, last ${lastIndex}`;
    this.violation('applied <= commit <= last', member.name, text);
  }

  /** Equal history, asked for at the same revision and compacted at the same one, has equal sums. */
  #checkHash({ name }: SimMember, { revision, compactRevision, hash }: KvHash): void {
    const at = `${revision}/${compactRevision}`;
    const known = this.#hashes.get(at);
    if (known === undefined) this.#hashes.set(at, { member: name, hash });
    else if (known.hash !== hash) {
      this.violation(
        'state hash',
        name,
        `${hash} at revision ${at}, ${known.member} ${known.hash}`,
      );
    }
  }

  #checkRevision(member: SimMember, revision: number): void {
    const before = this.#revisions.get(member);
    const { incarnation } = member;
    if (before?.incarnation === incarnation && revision < before.revision) {
      this.violation('revision goes back', member.name, `${before.revision} to ${revision}`);
    }
    this.#revisions.set(member, { incarnation, revision });
  }
}

/** Stands for an entry and for what applying it answered: both must be the same everywhere. */
function digestOf({ id, request }: InternalRequest, result: ApplyResult): number {
  const kind = request?.$case.length ?? 0;
  const outcome = result.ok ? 1 : result.code.length + 2;
  return (Number(id & 0xffffffn) * 64 + kind) * 64 + outcome;
}
