const NAME = 'raftdeck.keys-list';
export const DEFAULT_SEPARATOR = '/';

export type ListKind = 'flat' | 'tree';
type TextStore = Pick<Storage, 'getItem' | 'setItem'>;

/** How someone likes to browse one cluster's keys, on this machine. */
export class ListMode {
  kind = $state<ListKind>('flat');
  /** What ends the name of a folder; never empty. */
  separator = $state(DEFAULT_SEPARATOR);
  readonly #store: TextStore | null;
  readonly #name: string;

  constructor(store: TextStore | null, clusterId: string) {
    this.#store = store;
    this.#name = `${NAME}.${clusterId}`;
    try {
      const stored: unknown = JSON.parse(store?.getItem(this.#name) ?? '{}');
      if (typeof stored !== 'object' || stored === null) return;
      if ('kind' in stored && stored.kind === 'tree') this.kind = 'tree';
      if ('separator' in stored && typeof stored.separator === 'string') {
        this.separator = stored.separator || DEFAULT_SEPARATOR;
      }
    } catch {
      // Broken by someone else: the defaults hold.
    }
  }

  setKind(kind: ListKind): void {
    this.kind = kind;
    this.#save();
  }

  /** An empty one is not taken. */
  setSeparator(separator: string): void {
    if (separator === '') return;
    this.separator = separator;
    this.#save();
  }

  #save(): void {
    const { kind, separator } = this;
    try {
      this.#store?.setItem(this.#name, JSON.stringify({ kind, separator }));
    } catch {
      // A full or forbidden store: the choice holds until the page is left.
    }
  }
}
