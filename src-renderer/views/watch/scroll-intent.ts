/** After a hand on wheel, key or finger a scroll is taken to be meant for this long. */
const INTENT_MS = 1_000;

/**
 * Tells a scroll that someone means from one that a notice makes, which comes or goes and moves the
 * list as well.
 */
export function scrollIntent(): { isFresh(): boolean; attach(node: HTMLElement): () => void } {
  let atMs = Number.NEGATIVE_INFINITY;
  let isPressed = false;
  const note = () => {
    atMs = performance.now();
  };
  return {
    isFresh: () => isPressed || performance.now() - atMs < INTENT_MS,
    attach(node) {
      const cleanup = new AbortController();
      const options = { passive: true, capture: true, signal: cleanup.signal };
      for (const kind of ['wheel', 'keydown', 'touchmove'] as const) {
        node.addEventListener(kind, note, options);
      }
      node.addEventListener(
        'pointerdown',
        () => {
          isPressed = true;
        },
        options,
      );
      window.addEventListener(
        'pointerup',
        () => {
          if (isPressed) note();
          isPressed = false;
        },
        options,
      );
      return () => cleanup.abort();
    },
  };
}
