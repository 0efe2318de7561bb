/** Commands that were run last, newest first, so that they stand at the top of an empty palette. */

export const MAX_RECENTS = 5;
const SLOT = 'raftdeck.palette';

type Store = Pick<Storage, 'getItem' | 'setItem'>;

export function loadRecents(store: Store): string[] {
  try {
    const raw: unknown = JSON.parse(store.getItem(SLOT) ?? '[]');
    if (!Array.isArray(raw)) return [];
    return raw.filter((id) => typeof id === 'string').slice(0, MAX_RECENTS);
  } catch {
    return [];
  }
}

/** Keys are data of a cluster, not commands: they are not noted. */
export function noteRecent(store: Store, id: string): void {
  if (id.startsWith('key-')) return;
  const list = [id, ...loadRecents(store).filter((other) => other !== id)];
  try {
    store.setItem(SLOT, JSON.stringify(list.slice(0, MAX_RECENTS)));
  } catch {
    // Without storage there are no recent commands, and nothing else is missing.
  }
}
