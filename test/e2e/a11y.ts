import type { Page } from '@playwright/test';

/** What a screen reader or a keyboard would stumble over in what is shown now; empty if nothing. */
export function stumbles(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const isSeen = (element: Element) => element.checkVisibility({ visibilityProperty: true });
    const all = (selector: string) => [...document.querySelectorAll(selector)].filter(isSeen);
    const say = (what: string, element: Element) =>
      found.push(`${what}: ${element.outerHTML.slice(0, 120)}`);
    const nameOf = (element: Element): string => {
      const byId = (element.getAttribute('aria-labelledby') ?? '').split(' ').filter(Boolean);
      const labelled = byId.map((id) => document.getElementById(id)?.textContent ?? '').join(' ');
      const isField = element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement;
      const labels = isField ? [...(element.labels ?? [])] : [];
      return (
        element.getAttribute('aria-label') ||
        labelled.trim() ||
        labels
          .map((label) => label.textContent)
          .join(' ')
          .trim() ||
        (element.textContent ?? '').trim() ||
        element.getAttribute('title') ||
        ''
      );
    };
    for (const element of all(
      'button, a[href], input, select, textarea, [role=grid], [role=dialog], dialog, nav, section[aria-label], [role=radiogroup], [role=tablist], [role=img]',
    )) {
      if (nameOf(element) === '') say('no name', element);
    }
    const headings = all('h1').filter((h) => h.closest('dialog') === null);
    if (headings.length > 1) say('a second h1', headings[1] as Element);
    if (all('main').length !== 1) found.push(`${all('main').length} main`);
    const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
    for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i)))
      found.push(`twice #${id}`);
    for (const attribute of ['aria-controls', 'aria-labelledby', 'aria-describedby']) {
      for (const element of all(`[${attribute}]`)) {
        for (const id of (element.getAttribute(attribute) ?? '').split(' ')) {
          if (document.getElementById(id) === null) say(`${attribute} of nothing`, element);
        }
      }
    }
    for (const element of all('[aria-activedescendant]')) {
      const id = element.getAttribute('aria-activedescendant') ?? '';
      if (document.getElementById(id) === null) say('active row is gone', element);
    }
    const inside: [string, string][] = [
      ['[role=gridcell]', '[role=row]'],
      ['[role=row]', '[role=grid], [role=table], [role=treegrid]'],
      ['[role=option]', '[role=listbox]'],
      ['[role=tab]', '[role=tablist]'],
      ['[role=radio]', '[role=radiogroup]'],
      ['[role=menuitem]', '[role=menu]'],
    ];
    for (const [child, parent] of inside) {
      for (const element of all(child)) {
        if (element.parentElement?.closest(parent) === null) say(`outside of ${parent}`, element);
      }
    }
    for (const element of all('[tabindex]')) {
      if (Number(element.getAttribute('tabindex')) > 0) say('jumps the order', element);
    }
    return found;
  });
}

export interface Stop {
  /** What has the focus. */
  name: string;
  /** It shows that it has. */
  isMarked: boolean;
  region: string;
}

/** Presses Tab from the top of the page until it comes round, and tells where it stopped. */
export async function tabWalk(page: Page, max = 120): Promise<Stop[]> {
  await page.evaluate(() => {
    // Where a click was is where Tab begins: at the top it begins from an element of its own there.
    const top = document.createElement('button');
    document.body.prepend(top);
    top.focus();
    top.remove();
    for (const walked of document.querySelectorAll('[data-walked]')) {
      walked.removeAttribute('data-walked');
    }
  });
  const stops: Stop[] = [];
  for (let i = 0; i < max; i++) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const at = document.activeElement;
      if (!(at instanceof HTMLElement) || at === document.body) return null;
      if (at.dataset.walked !== undefined) return null;
      at.dataset.walked = '';
      const marks = (element: Element | null) => {
        if (element === null) return false;
        const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(element);
        const isClear = /, 0\)$|transparent/.test(outlineColor);
        return outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 1 && !isClear;
      };
      const row = document.getElementById(at.getAttribute('aria-activedescendant') ?? '');
      // A list shows its cursor; before there is one, nothing in it is chosen.
      const isList = /^(grid|listbox|treegrid)$/.test(at.getAttribute('role') ?? '');
      return {
        name:
          at.getAttribute('aria-label') ??
          (at instanceof HTMLInputElement || at instanceof HTMLTextAreaElement
            ? at.labels?.[0]?.textContent
            : undefined) ??
          at.textContent?.trim().slice(0, 40) ??
          '',
        isMarked: marks(at) || marks(at.parentElement) || marks(row) || isList,
        region: at.closest('.title, .rail, .nav, .main, .status')?.className.split(' ')[0] ?? '',
      };
    });
    if (stop === null) break;
    stops.push(stop);
  }
  return stops;
}
