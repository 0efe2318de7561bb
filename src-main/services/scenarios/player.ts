import type { Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import type { ScenarioProgress } from '../../contract/scenarios.ts';
import type { RaftView } from '../../contract/views.ts';
import type { Cluster } from '../cluster.ts';
import { failure } from '../errors.ts';
import type { StreamSink, StreamSource } from '../stream.ts';
import {
  allFollow,
  caughtUp,
  lagOf,
  leaderIn,
  snapshotInstalled,
  splitVote,
  successorOf,
} from './conditions.ts';
import type { Action, Condition, Part, Scenario, ScenarioStep } from './schema.ts';
import { Stage } from './stage.ts';

const DEFAULT_WITHIN_MS = 30_000;
const LOOK_MS = 250;
/** Restoring is tried so often: members that were killed need a moment until they answer. */
const RESTORE_ATTEMPTS = 20;
const RESTORE_PAUSE_MS = 1_000;

/** Plays one scenario on one local cluster, tells how far it is, and puts everything right again. */
export class ScenarioPlayer implements StreamSource {
  readonly #scenario: Scenario;
  readonly #pauseMs: number;
  readonly #stage: Stage;
  readonly #clock: Clock;
  readonly #sink: StreamSink<ScenarioProgress>;
  readonly #abort = new AbortController();
  readonly #follow: StreamSource;
  readonly #onDone: () => void;
  readonly #cast = new Map<Part, string>();
  #view: RaftView | null = null;
  #progress: ScenarioProgress;
  /** By the cluster's own clocks: what happened before does not count. */
  #startedAtMs = 0;
  #oldTerm = 0;
  readonly #played: Promise<void>;
  #isAbandoned = false;

  constructor(options: {
    scenario: Scenario;
    /** Rest after each step. */
    pauseMs: number;
    cluster: Cluster;
    clock: Clock;
    wallClockMs: () => number;
    sink: StreamSink<ScenarioProgress>;
    /** The cluster is as it was, whatever happened. */
    onDone: () => void;
  }) {
    const { scenario, cluster, clock } = options;
    this.#scenario = scenario;
    this.#pauseMs = options.pauseMs;
    this.#clock = clock;
    this.#sink = options.sink;
    this.#onDone = options.onDone;
    this.#stage = Stage.of(cluster, clock);
    const { maxQuotaBytes } = scenario;
    if (maxQuotaBytes !== undefined && (this.#stage.quotaBytes ?? Infinity) > maxQuotaBytes) {
      const mib = Math.floor(maxQuotaBytes / 1024 / 1024);
      throw failure(
        'FailedPrecondition',
        `this scenario fills the store, which takes too long with this quota`,
        `Create a local cluster with a quota of ${mib} MiB or less for it.`,
      );
    }
    this.#startedAtMs = options.wallClockMs();
    this.#progress = {
      ...{ id: scenario.id, state: 'playing', words: {}, error: null },
      steps: scenario.steps.map(() => ({ state: 'waiting', tookMs: null })),
    };
    this.#follow = cluster.raft.follow({
      push: (view) => {
        this.#view = view;
        this.#stage.take(view);
      },
      end: () => {},
    });
    this.#played = this.#play();
  }

  /** Ends it; the cluster is put right in the background. */
  dispose(): void {
    this.#abort.abort();
  }

  /** Ends it where it is, for the cluster ends as well. */
  async abandon(): Promise<void> {
    this.#isAbandoned = true;
    this.#abort.abort();
    await this.#played;
  }

  async #play(): Promise<void> {
    let problem: string | null = null;
    try {
      await this.#begin();
      for (const [i, step] of this.#scenario.steps.entries()) {
        await this.#playStep(i, step);
        await this.#stage.delay(this.#pauseMs);
      }
    } catch (error) {
      problem = errorMessage(error);
    }
    this.#tell({ state: 'healing', error: problem });
    const left = await this.#restore();
    this.#follow.dispose();
    this.#onDone();
    this.#tell({
      state: problem === null && left === null ? 'done' : 'failed',
      error: problem ?? left,
    });
    this.#sink.end();
  }

  /** Who plays which part. */
  async #begin(): Promise<void> {
    this.#tell({});
    const view = await this.#until(DEFAULT_WITHIN_MS, async (seen) =>
      allFollow(seen) ? seen : null,
    );
    if (view === null) {
      throw failure('FailedPrecondition', 'every node must run and follow a leader first');
    }
    const { members } = this.#scenario;
    if (view.members.length < members) {
      throw failure('FailedPrecondition', `this scenario needs ${members} nodes`);
    }
    if (!view.faultLab) throw failure('Unsupported', 'these nodes cannot be disturbed');
    const leader = leaderIn(view);
    const others = view.members.map(({ name }) => name).filter((name) => name !== leader?.name);
    this.#setPart('leader', leader?.name ?? '');
    this.#setPart('first', others.sort()[0] ?? '');
    this.#setPart('second', others[1] ?? '');
    this.#oldTerm = leader?.term ?? 0;
    this.#say({ oldTerm: String(this.#oldTerm) });
  }

  async #playStep(i: number, step: ScenarioStep): Promise<void> {
    const startedMs = this.#clock.nowMs();
    const tookMs = () => Math.round(this.#clock.nowMs() - startedMs);
    this.#tellStep(i, 'doing', null);
    for (const action of step.do ?? []) {
      this.#abort.signal.throwIfAborted();
      await this.#stage.act(action, this.#nodesOf(action), this.#abort.signal);
    }
    const { until } = step;
    if (until === undefined) return this.#tellStep(i, 'seen', tookMs());
    this.#tellStep(i, 'watching', null);
    const withinMs = step.withinMs ?? DEFAULT_WITHIN_MS;
    const found = await this.#until(withinMs, (view) => this.#look(until, view));
    if (found === null) {
      this.#tellStep(i, 'missed', tookMs());
      throw failure('FailedPrecondition', `it was not seen within ${withinMs / 1_000} s`);
    }
    this.#say(found);
    this.#tellStep(i, 'seen', tookMs());
  }

  /** What was found, in words for the texts; null: not yet. */
  async #look(until: Condition, view: RaftView): Promise<Record<string, string> | null> {
    const yes = (is: boolean) => (is ? {} : null);
    switch (until.kind) {
      case 'newLeader': {
        const old = { name: this.#nodeOf('leader'), term: this.#oldTerm };
        const successor = successorOf(view, old);
        if (successor === null) return null;
        this.#setPart('successor', successor.name);
        return { newTerm: String(successor.term) };
      }
      case 'noLeader':
        return yes(leaderIn(view) === null);
      case 'allFollow':
        return yes(allFollow(view));
      case 'caughtUp':
        return yes(caughtUp(view));
      case 'splitVote': {
        const split = splitVote(view.events, this.#startedAtMs);
        return split && { splitTerm: String(split.term), candidates: split.candidates.join(', ') };
      }
      case 'noSpace':
        return yes(await this.#stage.hasNoSpaceAlarm());
      case 'noAlarm':
        return yes(!(await this.#stage.hasNoSpaceAlarm()));
      default:
        return this.#lookAt(until, this.#nodeOf(until.node), view);
    }
  }

  async #lookAt(
    until: Extract<Condition, { node: Part }>,
    node: string,
    view: RaftView,
  ): Promise<Record<string, string> | null> {
    const yes = (is: boolean) => (is ? {} : null);
    const stage = this.#stage;
    const member = view.members.find(({ name }) => name === node);
    switch (until.kind) {
      case 'leadsNoMore':
        return yes(member?.source === 'inspect' && member.role !== 'leader');
      case 'stillLeads':
        return yes(member?.role === 'leader');
      case 'snapshotInstalled': {
        const event = snapshotInstalled(view.events, node, this.#startedAtMs);
        return event && { snapshotIndex: String(event.index) };
      }
      case 'behind': {
        const lag = lagOf(view, node);
        return lag >= until.entries ? { lag: String(lag) } : null;
      }
      case 'writeFails': {
        const problem = await stage.writeProblem(node);
        return problem === null ? null : { problem };
      }
      case 'writeWorks':
        return yes((await stage.writeProblem(node)) === null);
      case 'readFails': {
        const problem = await stage.readProblem(node);
        return problem === null ? null : { problem };
      }
      case 'staleRead':
        return yes((await stage.read(node, true)) === until.value);
      case 'reads':
        return yes((await stage.read(node, false)) === until.value);
    }
  }

  /** What `look` finds in what the members tell; null if nothing within that time. */
  async #until<T>(
    withinMs: number,
    look: (view: RaftView) => Promise<T | null>,
  ): Promise<T | null> {
    const deadlineMs = this.#clock.nowMs() + withinMs;
    while (this.#clock.nowMs() < deadlineMs) {
      this.#abort.signal.throwIfAborted();
      const found = this.#view === null ? null : await look(this.#view);
      if (found !== null) return found;
      await this.#stage.delay(LOOK_MS);
    }
    return null;
  }

  async #restore(): Promise<string | null> {
    let problem: string | null = null;
    for (let i = 0; i < RESTORE_ATTEMPTS && !this.#isAbandoned; i++) {
      try {
        await this.#stage.restore();
        return null;
      } catch (error) {
        problem = errorMessage(error);
      }
      await this.#stage.delay(RESTORE_PAUSE_MS);
    }
    return problem;
  }

  #nodesOf(action: Action): string[] {
    if ('nodes' in action) return action.nodes.map((part) => this.#nodeOf(part));
    if ('between' in action) return action.between.map((part) => this.#nodeOf(part));
    return [];
  }

  #nodeOf(part: Part): string {
    const node = this.#cast.get(part);
    if (node === undefined) throw failure('FailedPrecondition', `nobody plays the ${part} yet`);
    return node;
  }

  #setPart(part: Part, node: string): void {
    this.#cast.set(part, node);
    this.#say({ [part]: node });
  }

  #say(words: Record<string, string>): void {
    this.#tell({ words: { ...this.#progress.words, ...words } });
  }

  #tellStep(i: number, state: ScenarioProgress['steps'][number]['state'], tookMs: number | null) {
    this.#tell({
      steps: this.#progress.steps.map((one, at) => (at === i ? { state, tookMs } : one)),
    });
  }

  #tell(changes: Partial<ScenarioProgress>): void {
    this.#progress = { ...this.#progress, ...changes };
    this.#sink.push(this.#progress);
  }
}
