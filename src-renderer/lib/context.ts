import { createContext } from 'svelte';
import type { en } from './i18n/en.ts';
import type { AppKey, I18n, WordsLookup } from './i18n/i18n.svelte.ts';
import type { ParamsOf, Words } from './i18n/messages.ts';
import type { Shortcut, Shortcuts } from './keyboard.ts';
import type { Toasts } from './toasts.svelte.ts';

/** An action that a view offers in the command palette while it is shown. */
export interface PaletteAction {
  /** Stable, for tests and for the list of recent ones. */
  id: string;
  label: () => string;
  icon?: string;
  /** To the right of the label: the present state, or a hint. */
  detail?: () => string;
  /** The shortcut that does the same. */
  keys?: string;
  run: () => void;
}

/** What outlives the view that made it: the streams of a watch, say. */
export interface Kept {
  /** Stands beside the view's name in the navigation; '' is nothing. */
  readonly navCount?: string;
  dispose(): void;
}

/** What every component may reach without being handed it. */
export interface AppContext {
  readonly i18n: I18n;
  readonly toasts: Toasts;
  readonly shortcuts: Shortcuts;
  /** Height of a row in px at the density of now: 26 or 32. */
  readonly rowPx: number;
  /** Unix milliseconds, once a second; reading it re-renders then. */
  readonly nowMs: number;
  /** Goes to a view of the current cluster: `navigate('keys', { prefix: '/config/' })`. */
  navigate(view: string, params?: Readonly<Record<string, string>>): void;
  /** Goes to a view of any cluster. */
  goTo(clusterId: string, view: string, params?: Readonly<Record<string, string>>): void;
  /**
   * What a view of a cluster has kept, made if there is nothing. It is disposed when the cluster is
   * removed or the page goes.
   */
  keep<T extends Kept>(clusterId: string, view: string, make: () => T): T;
  /** Offers actions in the palette until the returned function is called. */
  offer(actions: () => readonly PaletteAction[]): () => void;
}

const [getAppContext, setAppContext] = createContext<AppContext>();

export { setAppContext };

/** Call while a component initialises. */
export function useApp(): AppContext {
  return getAppContext();
}

/** The app's own words: `const t = useT()`, then `t('common.cancel')`. */
export function useT(): <K extends AppKey>(key: K, ...params: ParamsOf<(typeof en)[K]>) => string {
  const { i18n } = getAppContext();
  return (key, ...params) => i18n.t(key, ...params);
}

/** A view's words: `const w = useWords(keysWords)`, then `w('title')`. */
export function useWords<C extends Readonly<Record<string, unknown>>>(
  words: Words<C>,
): WordsLookup<C> {
  return getAppContext().i18n.words(words);
}

/**
 * Registers shortcuts for as long as the component lives: `$effect(() => registerAll(app.shortcuts,
 * [...]))`.
 */
export function registerAll(shortcuts: Shortcuts, list: readonly Shortcut[]): () => void {
  const disposers = list.map((shortcut) => shortcuts.register(shortcut));
  return () => {
    for (const dispose of disposers) dispose();
  };
}
