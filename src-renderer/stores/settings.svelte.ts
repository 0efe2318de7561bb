import type { Settings } from '../../src-main/contract/views.ts';
import type { ContractClient } from '../api/client.ts';

const COPY_KEY = 'raftdeck.settings';
const DEFAULTS: Settings = { theme: 'system', language: 'system', density: 'compact' };

/** Settings live in main; a copy beside the page spares the first frame a wrong theme. */
export class SettingsStore {
  current = $state.raw<Settings>(DEFAULTS);
  error = $state.raw<unknown>(null);
  readonly #client: Pick<ContractClient, 'call'>;
  readonly #storage: Pick<Storage, 'getItem' | 'setItem'>;

  constructor(client: Pick<ContractClient, 'call'>, storage: Pick<Storage, 'getItem' | 'setItem'>) {
    this.#client = client;
    this.#storage = storage;
    this.current = readCopy(storage.getItem(COPY_KEY));
  }

  async load(): Promise<void> {
    try {
      this.#take(await this.#client.call('settings.get', {}));
    } catch (error) {
      this.error = error;
    }
  }

  /** Shown at once, taken back if main does not keep it. */
  async set(change: Partial<Settings>): Promise<void> {
    const before = this.current;
    this.current = { ...before, ...change };
    try {
      this.#take(await this.#client.call('settings.set', change));
    } catch (error) {
      this.current = before;
      this.error = error;
    }
  }

  #take(settings: Settings): void {
    this.current = settings;
    this.error = null;
    this.#storage.setItem(COPY_KEY, JSON.stringify(settings));
  }
}

function readCopy(text: string | null): Settings {
  try {
    const copy: unknown = JSON.parse(text ?? '{}');
    if (typeof copy !== 'object' || copy === null) return DEFAULTS;
    const value = copy as Partial<Record<keyof Settings, unknown>>;
    return {
      theme: value.theme === 'light' || value.theme === 'dark' ? value.theme : 'system',
      language: value.language === 'en' || value.language === 'zh' ? value.language : 'system',
      density: value.density === 'comfortable' ? 'comfortable' : 'compact',
    };
  } catch {
    return DEFAULTS;
  }
}
