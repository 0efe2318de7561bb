import type { ExperimentId } from '../../../src-main/contract/notes.ts';
import type { TrialItem } from '../../../src-main/contract/notes-trial.ts';
import { type ContractClient, errorText, type StreamHandle } from '../../api/client.ts';

export type SentItem = Extract<TrialItem, { kind: 'sent' }>;
export type AnswerItem = Extract<TrialItem, { kind: 'answer' }>;
export type CheckItem = Extract<TrialItem, { kind: 'check' }>;

/** What the list of steps shows; checks and the end stand below it. */
export type Step =
  | (SentItem & { answer: AnswerItem | null })
  | Extract<TrialItem, { kind: 'say' | 'event' }>;

/** More than any experiment has; a run that goes astray stays bounded. */
const MAX_ITEMS = 2_000;

/** One experiment: not begun, under way, or ended with what was seen. */
export class TrialRun {
  readonly experiment: ExperimentId;
  state = $state<'idle' | 'running' | 'ended'>('idle');
  wasStopped = $state(false);
  error = $state<string | null>(null);
  #items = $state.raw<readonly TrialItem[]>([]);
  #stream: StreamHandle | null = null;
  readonly #client: Pick<ContractClient, 'open'>;

  readonly begin = $derived(this.#first('begin'));
  readonly cleanup = $derived(this.#first('cleanup'));
  readonly verdict = $derived(this.#first('verdict'));
  readonly checks: readonly CheckItem[] = $derived(
    this.#items.flatMap((item) => (item.kind === 'check' ? [item] : [])),
  );
  readonly steps: readonly Step[] = $derived.by(() => stepsOf(this.#items));
  /** Of the last step. */
  readonly tookMs = $derived(
    this.#items.reduce((last, item) => ('atMs' in item ? Math.max(last, item.atMs) : last), 0),
  );

  constructor(client: Pick<ContractClient, 'open'>, experiment: ExperimentId) {
    this.#client = client;
    this.experiment = experiment;
  }

  start(clusterId: string): void {
    if (this.state === 'running') return;
    this.#items = [];
    this.error = null;
    this.wasStopped = false;
    this.state = 'running';
    const input = { clusterId, experiment: this.experiment };
    this.#stream = this.#client.open('notes.try', input, {
      onItems: (items) => {
        this.#items = [...this.#items, ...items].slice(-MAX_ITEMS);
      },
      onEnd: (error) => {
        this.#stream = null;
        this.state = 'ended';
        this.error = error === null ? null : errorText(error);
      },
    });
  }

  /** Main ends it and cleans up; nothing more is heard of it. */
  stop(): void {
    if (this.#stream === null) return;
    this.#stream.close();
    this.#stream = null;
    this.state = 'ended';
    this.wasStopped = true;
  }

  #first<K extends TrialItem['kind']>(kind: K): Extract<TrialItem, { kind: K }> | null {
    const found = this.#items.find((item) => item.kind === kind);
    return (found as Extract<TrialItem, { kind: K }> | undefined) ?? null;
  }
}

/** Each call with its answer, where it was sent. */
export function stepsOf(items: readonly TrialItem[]): Step[] {
  const answers = new Map<number, AnswerItem>();
  for (const item of items) if (item.kind === 'answer') answers.set(item.call, item);
  return items.flatMap((item): Step[] => {
    if (item.kind === 'sent') return [{ ...item, answer: answers.get(item.call) ?? null }];
    return item.kind === 'say' || item.kind === 'event' ? [item] : [];
  });
}
