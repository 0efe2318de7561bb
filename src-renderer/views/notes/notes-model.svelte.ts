import type { NoteTopic } from '../../../src-main/contract/notes.ts';
import { type ContractClient, errorText } from '../../api/client.ts';
import type { Language } from '../../lib/format.ts';

/** The topics, which one is open, and what a search finds in them. */
export class NotesModel {
  topics = $state.raw<readonly NoteTopic[]>([]);
  loaded = $state(false);
  error = $state<string | null>(null);
  openId = $state<string | null>(null);
  query = $state('');

  readonly open: NoteTopic | null = $derived.by(
    () => this.topics.find((topic) => topic.id === this.openId) ?? this.topics[0] ?? null,
  );
  readonly #client: Pick<ContractClient, 'call'>;

  constructor(client: Pick<ContractClient, 'call'>) {
    this.#client = client;
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

  /** What is shown: the open topic, or with a query every topic with its matching rows. */
  shown(language: Language): NoteTopic[] {
    const words = this.query
      .toLowerCase()
      .split(/\s+/u)
      .filter((word) => word !== '');
    if (words.length === 0) return this.open === null ? [] : [this.open];
    return this.topics.flatMap((topic) => {
      const rows = topic.rows.filter((row) => {
        const cells = [topic.title, row.label, row.etcd, row.zookeeper, row.consul];
        // Names of the field are searched in English in either language.
        const text = cells
          .map((cell) => `${cell[language]} ${cell.en}`)
          .join(' ')
          .toLowerCase();
        return words.every((word) => text.includes(word));
      });
      return rows.length === 0 ? [] : [{ ...topic, rows }];
    });
  }
}
