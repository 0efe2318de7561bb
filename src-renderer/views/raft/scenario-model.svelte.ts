import type {
  LocalText,
  ScenarioInfo,
  ScenarioProgress,
} from '../../../src-main/contract/scenarios.ts';
import type { ContractClient, StreamHandle } from '../../api/client.ts';

/** Each step is there to be read. */
const PAUSE_MS = 2_000;

/** The scenarios there are, and the one that plays on a cluster. */
export class ScenarioModel {
  list = $state.raw<ScenarioInfo[] | null>(null);
  problem = $state.raw<unknown>(null);
  chosen = $state.raw<ScenarioInfo | null>(null);
  progress = $state.raw<ScenarioProgress | null>(null);
  /** It was stopped by hand: main puts everything right on its own. */
  isStopped = $state(false);
  /** Why it could not be begun, or went on without us. */
  playError = $state.raw<unknown>(null);

  readonly #client: ContractClient;
  readonly #clusterId: string;
  #stream = $state.raw<StreamHandle | null>(null);

  constructor(client: ContractClient, clusterId: string) {
    this.#client = client;
    this.#clusterId = clusterId;
  }

  get isPlaying(): boolean {
    return this.#stream !== null;
  }

  async load(): Promise<void> {
    try {
      this.list = await this.#client.call('scenarios.list', {});
      this.problem = null;
    } catch (error) {
      this.problem = error;
    }
  }

  play(scenario: ScenarioInfo): void {
    if (this.isPlaying) return;
    this.chosen = scenario;
    this.progress = null;
    this.playError = null;
    this.isStopped = false;
    this.#stream = this.#client.open(
      'scenarios.play',
      { clusterId: this.#clusterId, scenario: scenario.id, pauseMs: PAUSE_MS },
      {
        onItems: (items) => {
          this.progress = items[items.length - 1] ?? this.progress;
        },
        onEnd: (error) => {
          this.#stream = null;
          this.playError = error;
        },
      },
    );
  }

  stop(): void {
    if (!this.isPlaying) return;
    this.#stream?.close();
    this.#stream = null;
    this.isStopped = true;
  }

  /** Back to the list. */
  leave(): void {
    this.stop();
    this.chosen = null;
    this.progress = null;
    this.playError = null;
  }

  dispose(): void {
    this.#stream?.close();
    this.#stream = null;
  }
}

/** A text of a scenario with what is known so far: parts that nobody plays yet stay dots. */
export function textOf(
  text: LocalText,
  language: 'en' | 'zh',
  words: Readonly<Record<string, string>>,
): string {
  return text[language].replace(/\{(\w+)\}/g, (_, name: string) => words[name] ?? '…');
}
