/** The parts of the window between which F6 moves the focus, in the order in which they stand. */
const REGIONS = ['.rail', '.nav', '.main', '.status'] as const;
const FOCUSABLE =
  'a[href], button, input, select, textarea, [tabindex="0"]:not([aria-disabled="true"])';

function isSeen(element: HTMLElement): boolean {
  return element.checkVisibility({ visibilityProperty: true });
}

/** What takes the focus in a region: the current link or row first, else the first control. */
function entryOf(region: Element): HTMLElement | undefined {
  const current = region.querySelector<HTMLElement>('a[aria-current], button[aria-current]');
  if (current !== null && isSeen(current)) return current;
  return [...region.querySelectorAll<HTMLElement>(FOCUSABLE)].find(isSeen);
}

/** Moves the focus to the next region that can take it, or the one before. */
export function stepRegion(root: ParentNode, by: 1 | -1): void {
  const regions = REGIONS.flatMap((selector) => [...root.querySelectorAll(selector)]);
  const at = regions.findIndex((region) => region.contains(document.activeElement));
  const from = at === -1 && by === -1 ? 0 : at;
  for (let step = 1; step <= regions.length; step++) {
    const next = regions[(from + step * by + regions.length * step) % regions.length];
    const entry = next === undefined ? undefined : entryOf(next);
    if (entry === undefined) continue;
    entry.focus();
    return;
  }
}
