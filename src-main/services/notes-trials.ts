/** Runs the experiments of the notes, each as one stream that ends with it. */
import type { Clock } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { ExperimentId } from '../contract/notes.ts';
import type { TrialItem } from '../contract/notes-trial.ts';
import type { StreamParsed } from '../contract/streams.ts';
import type { ClustersService } from './clusters.ts';
import { failure } from './errors.ts';
import { casLoses, leaseExpiry, lockFencing, watchHistory } from './notes-experiments.ts';
import { beginThrowAway, quorumReads, startThrowAway } from './notes-quorum.ts';
import { TRIAL_TIMEOUT_MS, Trial } from './notes-trial.ts';
import type { StreamSink, StreamSource } from './stream.ts';

/** Experiments that run at once, in all windows. */
export const MAX_TRIALS = 4;
const THROW_AWAY_NAME = 'notes-trial';

/** Those that run on the user's own cluster, under a prefix of theirs. */
const ON_CHOSEN: Record<Exclude<ExperimentId, 'quorum-reads'>, (trial: Trial) => Promise<void>> = {
  'watch-history': watchHistory,
  'lock-fencing': lockFencing,
  'lease-expiry': leaseExpiry,
  'cas-loses': casLoses,
};

export class NotesTrials {
  readonly #clusters: ClustersService;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #running = new Set<Promise<void>>();
  readonly #ends = new Set<AbortController>();

  constructor(clusters: ClustersService, clock: Clock, logger: Logger) {
    this.#clusters = clusters;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Throws NotFound, Unsupported for a remote cluster, FailedPrecondition. */
  open(input: StreamParsed<'notes.try'>, sink: StreamSink<TrialItem>): StreamSource {
    const cluster = this.#clusters.get(input.clusterId);
    if (cluster.supervisor === null) {
      throw failure(
        'Unsupported',
        `${cluster.name} is a remote cluster: experiments write, and run on local ones alone`,
        'choose a local cluster, or create one',
      );
    }
    if (this.#running.size >= MAX_TRIALS) {
      throw failure('FailedPrecondition', `${MAX_TRIALS} experiments are running already`);
    }
    const end = new AbortController();
    const cancelTimer = this.#clock.setTimer(TRIAL_TIMEOUT_MS, () =>
      end.abort(failure('Timeout', `not done within ${TRIAL_TIMEOUT_MS / 1_000} s`)),
    );
    const run = this.#run(input, sink, end.signal).finally(() => {
      cancelTimer();
      this.#running.delete(run);
      this.#ends.delete(end);
    });
    this.#running.add(run);
    this.#ends.add(end);
    return { dispose: () => end.abort(failure('Cancelled', 'the experiment was stopped')) };
  }

  /** Ends all of them and waits until they have cleaned up. */
  async close(): Promise<void> {
    for (const end of this.#ends) end.abort(failure('Cancelled', 'the app is closing'));
    await Promise.allSettled([...this.#running]);
  }

  async #run(
    { clusterId, experiment }: StreamParsed<'notes.try'>,
    sink: StreamSink<TrialItem>,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const work =
        experiment === 'quorum-reads'
          ? this.#onThrowAway(sink, signal)
          : this.#onChosen(clusterId, ON_CHOSEN[experiment], sink, signal);
      await work;
      sink.end();
    } catch (error) {
      // Why it was ended says more than the call that noticed.
      sink.end(signal.aborted ? signal.reason : error);
    }
  }

  async #onChosen(
    clusterId: string,
    experiment: (trial: Trial) => Promise<void>,
    sink: StreamSink<TrialItem>,
    signal: AbortSignal,
  ): Promise<void> {
    const cluster = this.#clusters.get(clusterId);
    const push = (item: TrialItem) => sink.push(item);
    const trial = new Trial({ etcd: cluster.etcd, push, signal, clock: this.#clock });
    push({ kind: 'begin', cluster: cluster.name, prefix: trial.prefix });
    try {
      await experiment(trial);
    } finally {
      push({ kind: 'cleanup', ...(await trial.cleanUp()), cluster: null });
    }
    push({ kind: 'verdict', held: trial.held });
  }

  async #onThrowAway(sink: StreamSink<TrialItem>, signal: AbortSignal): Promise<void> {
    const push = (item: TrialItem) => sink.push(item);
    beginThrowAway(push, THROW_AWAY_NAME);
    const throwAway = await startThrowAway(this.#clusters, THROW_AWAY_NAME);
    const { cluster } = throwAway;
    let held = false;
    try {
      const trial = new Trial({ etcd: cluster.etcd, push, signal, clock: this.#clock });
      push({ kind: 'begin', cluster: cluster.name, prefix: trial.prefix });
      await quorumReads(trial, throwAway);
      held = trial.held;
    } finally {
      try {
        await throwAway.remove();
        push({ kind: 'cleanup', keys: 0, leases: 0, left: 0, cluster: cluster.name });
      } catch (error) {
        const fields = { cluster: cluster.name, error: errorMessage(error) };
        this.#logger.error('the cluster of an experiment cannot be removed', fields);
        push({ kind: 'cleanup', keys: 0, leases: 0, left: null, cluster: cluster.name });
      }
    }
    push({ kind: 'verdict', held });
  }
}
