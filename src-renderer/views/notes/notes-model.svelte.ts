import type { NoteRow, NoteSystem, NoteTopic } from '../../../src-main/contract/notes.ts';
import { type ContractClient, errorText } from '../../api/client.ts';
import type { Language } from '../../lib/format.ts';
import { noteKey, type OwnNotesModel } from './own-notes.svelte.ts';

export type SystemFilter = 'all' | NoteSystem;
export type ShowFilter = 'all' | 'try' | 'own';
export const SYSTEMS: readonly NoteSystem[] = ['etcd', 'zookeeper', 'consul'];
/** Names of products, the same in every language. */
export const SYSTEM_NAMES = { etcd: 'etcd', zookeeper: 'ZooKeeper', consul: 'Consul' } as const;

/** A row with the topic that it stands in. */
export interface Place {
  topic: NoteTopic;
  row: NoteRow;
  /** `topic/row`, unique. */
  key: string;
}

/** The topics, what the filters leave of them, and which row is open. */
export class NotesModel {
  topics = $state.raw<readonly NoteTopic[]>([]);
  loaded = $state(false);
  error = $state<string | null>(null);
  query = $state('');
  /** '' is all of them. */
  topicId = $state('');
  system = $state<SystemFilter>('all');
  show = $state<ShowFilter>('all');
  openKey = $state<string | null>(null);

  readonly systems: readonly NoteSystem[] = $derived.by(() =>
    this.system === 'all' ? SYSTEMS : [this.system],
  );
  readonly total = $derived(this.topics.reduce((sum, topic) => sum + topic.rows.length, 0));
  readonly isFiltered = $derived(
    this.query.trim() !== '' || this.topicId !== '' || this.system !== 'all' || this.show !== 'all',
  );
  readonly #client: Pick<ContractClient, 'call'>;
  readonly #own: OwnNotesModel;

  constructor(client: Pick<ContractClient, 'call'>, own: OwnNotesModel) {
    this.#client = client;
    this.#own = own;
  }

  async load(): Promise<void> {
    this.error = null;
    try {
      this.topics = await this.#client.call('notes.list', {});
      this.loaded = true;
    } catch (error) {
      this.error = errorText(error);
    }
  }

  clearFilters(): void {
    this.query = '';
    this.topicId = '';
    this.system = 'all';
    this.show = 'all';
  }

  /** Every word of the query is somewhere in the row, in the language of now or in English. */
  shown(language: Language): Place[] {
    const words = this.query
      .toLowerCase()
      .split(/\s+/u)
      .filter((word) => word !== '');
    const topics = this.topics.filter(({ id }) => this.topicId === '' || id === this.topicId);
    return topics.flatMap((topic) =>
      topic.rows.flatMap((row) => {
        const place = { topic, row, key: noteKey(topic.id, row.id) };
        return this.#fits(place, words, language) ? [place] : [];
      }),
    );
  }

  /** The open row, or the first that is shown where the filters hide it. */
  open(shown: readonly Place[]): Place | null {
    return shown.find(({ key }) => key === this.openKey) ?? shown[0] ?? null;
  }

  /** Opens the row so many further down, or up; stops at either end. */
  step(shown: readonly Place[], by: number): Place | null {
    const at = shown.findIndex(({ key }) => key === this.open(shown)?.key);
    const next = shown[Math.max(0, Math.min(shown.length - 1, at + by))] ?? null;
    if (next !== null) this.openKey = next.key;
    return next;
  }

  #fits({ topic, row, key }: Place, words: readonly string[], language: Language): boolean {
    if (this.show === 'try' && row.etcd.tryIt === undefined) return false;
    const own = this.#own.textOf(key);
    if (this.show === 'own' && own.trim() === '') return false;
    if (words.length === 0) return true;
    const claims = this.systems.map((system) => row[system]);
    // Names of the field are searched in English in either language.
    const texts = [topic.title, row.label, ...claims].map((cell) => `${cell[language]} ${cell.en}`);
    const text = [...texts, own].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  }
}
