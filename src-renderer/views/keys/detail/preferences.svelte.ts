import type { TextStore } from './viewer-memory.ts';

const NAME = 'raftdeck.value-view';

/** How someone likes to look at values, on this machine. */
export class Preferences {
  /** Long lines are wrapped. */
  wrap = $state(true);
  /** A save shows what it changes first. */
  reviewFirst = $state(true);
  readonly #store: TextStore | null;

  constructor(store: TextStore | null) {
    this.#store = store;
    try {
      const stored: unknown = JSON.parse(store?.getItem(NAME) ?? '{}');
      if (typeof stored !== 'object' || stored === null) return;
      if ('wrap' in stored) this.wrap = stored.wrap !== false;
      if ('reviewFirst' in stored) this.reviewFirst = stored.reviewFirst !== false;
    } catch {
      // Broken by someone else: the defaults hold.
    }
  }

  setWrap(wrap: boolean): void {
    this.wrap = wrap;
    this.#save();
  }

  setReviewFirst(reviewFirst: boolean): void {
    this.reviewFirst = reviewFirst;
    this.#save();
  }

  #save(): void {
    const { wrap, reviewFirst } = this;
    try {
      this.#store?.setItem(NAME, JSON.stringify({ wrap, reviewFirst }));
    } catch {
      // A full or forbidden store: the choice holds until the page is left.
    }
  }
}

/** The page's own store, or null where it may not be used. */
export function browserStorage(): TextStore | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}
