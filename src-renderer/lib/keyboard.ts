/**
 * Keyboard shortcuts: registered by whoever has the action, listed on one sheet, handled in one
 * place.
 */

/** Shortcuts that may be registered at once: a guard against a view that never disposes its own. */
export const MAX_SHORTCUTS = 200;

export interface Shortcut {
  /** "mod+k", "mod+/", "/", "n", "shift+?"; mod is Cmd on a Mac and Ctrl elsewhere. */
  keys: string;
  /** What it does, in the language of now. */
  label: () => string;
  /** Heading on the sheet. */
  group: () => string;
  run: () => void;
  /** Also while someone types; default: only chords with mod. */
  inFields?: boolean;
  /** Absent: always. */
  when?: () => boolean;
}

interface Chord {
  key: string;
  mod: boolean;
  alt: boolean;
  shift: boolean;
}

export type KeyEvent = Pick<
  KeyboardEvent,
  'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey' | 'target' | 'isComposing'
> & { preventDefault(): void; defaultPrevented: boolean };

export class Shortcuts {
  readonly #isMac: boolean;
  readonly #list: { shortcut: Shortcut; chord: Chord }[] = [];

  constructor(isMac: boolean) {
    this.#isMac = isMac;
  }

  /** Newer ones win over older ones with the same keys. Returns how to remove it. */
  register(shortcut: Shortcut): () => void {
    if (this.#list.length >= MAX_SHORTCUTS) throw new Error('too many shortcuts');
    const entry = { shortcut, chord: parseChord(shortcut.keys) };
    this.#list.push(entry);
    return () => {
      const at = this.#list.indexOf(entry);
      if (at !== -1) this.#list.splice(at, 1);
    };
  }

  /** All that apply now, oldest first. */
  list(): Shortcut[] {
    return this.#list.map((entry) => entry.shortcut).filter((s) => s.when?.() ?? true);
  }

  /** Runs what the keys stand for; true if there was something. */
  handle(event: KeyEvent): boolean {
    if (event.defaultPrevented || event.isComposing) return false;
    const inField = isTextField(event.target);
    for (let i = this.#list.length - 1; i >= 0; i--) {
      const entry = this.#list[i];
      if (entry === undefined || !this.#matches(entry.chord, event)) continue;
      const { shortcut, chord } = entry;
      if (inField && !(shortcut.inFields ?? chord.mod)) continue;
      if (shortcut.when !== undefined && !shortcut.when()) continue;
      event.preventDefault();
      shortcut.run();
      return true;
    }
    return false;
  }

  /** "Ctrl K" or "⌘K". */
  display(keys: string): string {
    return displayKeys(keys, this.#isMac);
  }

  #matches(chord: Chord, event: KeyEvent): boolean {
    const mod = this.#isMac ? event.metaKey : event.ctrlKey;
    const other = this.#isMac ? event.ctrlKey : event.metaKey;
    if (mod !== chord.mod || other || event.altKey !== chord.alt) return false;
    if (event.key.toLowerCase() !== chord.key) return false;
    // "?" and "/" come with or without Shift, depending on the keyboard's layout.
    return event.shiftKey === chord.shift || !/^[a-z0-9]+$/.test(chord.key);
  }
}

export function displayKeys(keys: string, isMac: boolean): string {
  const chord = parseChord(keys);
  const key = capitalized(chord.key);
  const parts = [
    chord.mod ? (isMac ? '⌘' : 'Ctrl') : '',
    chord.alt ? (isMac ? '⌥' : 'Alt') : '',
    chord.shift ? (isMac ? '⇧' : 'Shift') : '',
    key,
  ];
  return parts.filter((part) => part !== '').join(isMac ? '' : ' ');
}

function parseChord(keys: string): Chord {
  const parts = keys.toLowerCase().split('+');
  const key = parts.pop() ?? '';
  return {
    key: key === 'space' ? ' ' : key,
    mod: parts.includes('mod'),
    alt: parts.includes('alt'),
    shift: parts.includes('shift'),
  };
}

function capitalized(key: string): string {
  if (key === 'escape') return 'Esc';
  if (key === ' ') return 'Space';
  return key.charAt(0).toUpperCase() + key.slice(1);
}

function isTextField(target: EventTarget | null): boolean {
  if (typeof HTMLElement === 'undefined' || !(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement) return true;
  if (target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !/^(checkbox|radio|button)$/.test(target.type);
}
