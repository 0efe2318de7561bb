import type { Clock } from '../../base/clock.ts';
import type { ScenarioInfo, ScenarioProgress } from '../../contract/scenarios.ts';
import type { Cluster } from '../cluster.ts';
import { failure } from '../errors.ts';
import type { StreamSink, StreamSource } from '../stream.ts';
import { infoOf } from './load.ts';
import { ScenarioPlayer } from './player.ts';
import type { Scenario } from './schema.ts';

/** The scenarios there are, and those that play: one at a time on a cluster. */
export class ScenarioService {
  readonly #load: () => Promise<Scenario[]>;
  readonly #clock: Clock;
  readonly #wallClockMs: () => number;
  /** By the clusters' ids. */
  readonly #playing = new Map<string, ScenarioPlayer>();

  constructor(load: () => Promise<Scenario[]>, times: { clock: Clock; wallClockMs: () => number }) {
    this.#load = load;
    this.#clock = times.clock;
    this.#wallClockMs = times.wallClockMs;
  }

  async list(): Promise<ScenarioInfo[]> {
    return (await this.#load()).map(infoOf);
  }

  /** Closing the stream ends the scenario; the cluster is put right either way. */
  async play(
    cluster: Cluster,
    { scenario: id, pauseMs }: { scenario: string; pauseMs: number },
    sink: StreamSink<ScenarioProgress>,
  ): Promise<StreamSource> {
    const scenario = (await this.#load()).find((one) => one.id === id);
    if (scenario === undefined) throw failure('NotFound', `there is no scenario ${id}`);
    if (this.#playing.has(cluster.id)) {
      throw failure(
        'FailedPrecondition',
        'a scenario plays on this cluster, or is being put right',
      );
    }
    const onDone = () => void this.#playing.delete(cluster.id);
    const player = new ScenarioPlayer({
      ...{ scenario, pauseMs, cluster, sink, onDone },
      ...{ clock: this.#clock, wallClockMs: this.#wallClockMs },
    });
    this.#playing.set(cluster.id, player);
    return player;
  }

  /** Ends all of them where they are: the clusters are about to be stopped. */
  async close(): Promise<void> {
    await Promise.all([...this.#playing.values()].map((player) => player.abandon()));
  }
}
