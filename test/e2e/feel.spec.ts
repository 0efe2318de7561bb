import type { Page } from '@playwright/test';
import { TestClient } from '../support/client.ts';
import { stumbles, tabWalk } from './a11y.ts';
import { endpoints, expect, goTo, healthy, screenshots, test } from './fixtures.ts';

const VIEWS = ['overview', 'keys', 'watch', 'leases', 'storage', 'logs', 'notes'] as const;

const focused = (page: Page) =>
  page.evaluate(() => {
    const at = document.activeElement;
    return at?.getAttribute('aria-label') ?? at?.textContent?.trim() ?? '';
  });

test('the palette: everything from the keyboard', async ({ page }) => {
  await healthy(page);
  await page.getByTestId('nav-overview').focus();
  const palette = page.getByTestId('palette');
  await page.keyboard.press('Control+k');
  await expect(palette).toBeVisible();
  expect(await stumbles(page)).toEqual([]);
  await page.keyboard.type('go watch');
  await page.keyboard.press('Enter');
  await expect(palette).toBeHidden();
  await expect(page.getByTestId('watch-view')).toBeVisible();
  await page.keyboard.press('Control+k');
  await expect(palette.getByRole('option').first()).toContainText('Go to Watch');
  await expect(palette).toContainText('Recent');
  await expect(palette.getByTestId('palette-action-watch-new')).toContainText('W');
  await screenshots(page, 'palette');
  await page.keyboard.type('@nothing like it');
  await expect(palette.getByRole('status')).toContainText('Nothing matches');
  await page.keyboard.press('Escape');
  await expect(palette).toBeHidden();

  // Keys by their prefix, clusters, actions of the view.
  const client = new TestClient(`http://${(await endpoints(page))[0]}`);
  await client.put('/config/limits', '3');
  client.close();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('/conf');
  await expect(palette.getByRole('option', { name: '/config/limits' })).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('key-name')).toContainText('limits');
  await page.keyboard.press('Control+k');
  await page.keyboard.type('>dark');
  await page.keyboard.press('Enter');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
});

test('the sheet tells the shortcuts of now, and behind a dialog no letter does a thing', async ({
  page,
}) => {
  await healthy(page);
  await goTo(page, 'watch');
  await page.getByTestId('watch-key').fill('/a/');
  await page.getByTestId('watch-key').press('Enter');
  await expect(page.getByTestId('watch-status')).toHaveText('Live');
  await expect(page.getByTestId('watch-waiting')).toBeVisible();
  await page.keyboard.press('Control+/');
  const sheet = page.getByTestId('shortcut-sheet');
  await expect(sheet).toContainText('Pause or resume');
  await expect(sheet).toContainText('Next part of the window');
  expect(await stumbles(page)).toEqual([]);
  await screenshots(page, 'shortcuts');
  await page.keyboard.press('w');
  await page.keyboard.press('Shift+X');
  await page.keyboard.press('Escape');
  await expect(sheet).toBeHidden();
  await expect(page.getByRole('form', { name: 'New watch' })).toBeHidden();
  await expect(page.getByTestId('watch-session')).toHaveCount(1);
  // The focus is where it was: Space still pauses.
  await page.keyboard.press('Space');
  await expect(page.getByTestId('watch-status')).toHaveText('Paused');
});

test('a dialog that destroys begins on Cancel and gives the focus back', async ({ page }) => {
  await healthy(page);
  const menu = page.getByTestId('cluster-menu');
  await menu.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'Remove' }).press('Enter');
  await expect(page.getByTestId('remove-cluster')).toBeVisible();
  await expect(
    page.getByTestId('remove-cluster').getByRole('button', { name: /Cancel/ }),
  ).toBeFocused();
  expect(await stumbles(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await expect(page.getByTestId('remove-cluster')).toBeHidden();
  await expect(menu).toBeFocused();
});

test('Tab reaches everything and shows where it is; F6 goes from part to part', async ({
  page,
}) => {
  await healthy(page);
  for (const view of VIEWS) {
    await goTo(page, view);
    await expect(page.locator('.view h1')).toBeVisible();
    expect(await stumbles(page), view).toEqual([]);
    const stops = await tabWalk(page);
    expect(
      stops.filter((stop) => !stop.isMarked || stop.name === ''),
      view,
    ).toEqual([]);
    const regions = new Set(stops.map((stop) => stop.region));
    // Notes and logs may have nothing to press; the parts around them always have.
    for (const region of ['title', 'rail', 'nav']) expect(regions).toContain(region);
  }
  await goTo(page, 'watch');
  await page.getByTestId('nav-watch').focus();
  await page.keyboard.press('F6');
  await expect(page.locator('main :focus')).toBeVisible();
  await page.keyboard.press('Shift+F6');
  await expect(page.getByTestId('nav-watch')).toBeFocused();
  // After a change of view the keyboard is in it, not at the page's top.
  await page.keyboard.press('F6');
  await page.keyboard.press('Control+2');
  await expect(page.locator('.view h1')).toHaveText('Keys');
  await expect(page.locator('main:focus, main :focus')).toHaveCount(1);
});

test('the watch by keyboard alone', async ({ page }) => {
  await healthy(page);
  const client = new TestClient(`http://${(await endpoints(page))[0]}`);
  await page.keyboard.press('Control+3');
  await expect(page.getByTestId('watch-view')).toBeVisible();
  await page.keyboard.press('w');
  await page.keyboard.type('/k/');
  await page.keyboard.press('Enter');
  const pane = page.locator('[data-testid="watch-pane"][data-active="true"]');
  await expect(pane.getByTestId('watch-status')).toHaveText('Live');
  for (let i = 0; i < 60; i++) await client.put(`/k/${i}`, `line ${i}`);
  await expect(pane.getByTestId('watch-count')).toHaveText('60 events');
  expect(await stumbles(page)).toEqual([]);
  await pane.getByTestId('watch-list').focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(pane.getByTestId('watch-detail')).toContainText('/k/1');
  await expect(pane.getByTestId('watch-status')).toHaveText('Held');
  await client.put('/k/later', 'x');
  await expect(pane.getByTestId('watch-held')).toContainText('1 ');
  expect(await stumbles(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await expect(pane.getByTestId('watch-count')).toHaveText('61 events');
  await expect(pane.getByTestId('watch-event').last()).toContainText('/k/later');
  await page.keyboard.press('w');
  await page.keyboard.type('/second/');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('watch-pane')).toHaveCount(2);
  await page.keyboard.press('[');
  await expect(pane).toHaveAccessibleName(/\/k\//);
  await page.keyboard.press('Shift+B');
  await expect(page.getByTestId('watch-pane')).toHaveCount(1);
  await page.keyboard.press('b');
  await expect(page.getByTestId('watch-pane')).toHaveCount(2);
  await page.keyboard.press('Shift+P');
  await expect(page.getByTestId('watch-pane').getByText('Paused', { exact: true })).toHaveCount(2);
  await page.keyboard.press('Shift+X');
  await expect(page.getByTestId('watch-session')).toHaveCount(1);
  client.close();
});

test('nothing jumps while events come, are held and are read', async ({ page }) => {
  await healthy(page);
  const client = new TestClient(`http://${(await endpoints(page))[0]}`);
  await goTo(page, 'watch');
  await page.getByTestId('watch-key').fill('/');
  await page.getByTestId('watch-key').press('Enter');
  await client.put('/first', 'x');
  const pane = page.getByTestId('watch-pane');
  await expect(pane.getByTestId('watch-event')).toHaveCount(1);
  await page.evaluate(() => {
    const shifts: string[] = [];
    Object.assign(window, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & {
        hadRecentInput: boolean;
        value: number;
        sources: { node: Node | null }[];
      })[]) {
        // A notice or a detail that someone asked for may move things; nothing else may.
        if (entry.hadRecentInput || entry.value < 0.001) continue;
        const nodes = entry.sources.map(({ node }) => node?.parentElement?.className).join(', ');
        shifts.push(`${entry.value.toFixed(4)} ${nodes}`);
      }
    }).observe({ type: 'layout-shift' });
  });
  for (let i = 0; i < 100; i++) await client.put(`/jump/${i % 7}`, `${i}`.repeat(1 + (i % 40)));
  await expect(pane.getByTestId('watch-count')).toHaveText('101 events');
  await page.keyboard.press('Space');
  for (let i = 0; i < 20; i++) await client.put(`/jump/${i}`, 'held');
  await expect(pane.getByTestId('watch-held')).toContainText('20 ');
  await page.keyboard.press('Space');
  await expect(pane.getByTestId('watch-count')).toHaveText('121 events');
  const shifts = await page.evaluate(() => (window as unknown as { shifts: string[] }).shifts);
  expect(shifts).toEqual([]);
  client.close();
});

/** Names of the field and of our own that stay as they are in every language. */
const KEPT =
  /^(?:etcd|etcdctl|Raft|Raftdeck|PUT|DEL|JSON|Esc|Enter|Ctrl|Space|Shift|Tab|Home|End|PageUp|PageDown|MiB|KiB|GiB|B|ms|n\d|dev|De|zh|English|ID|TTL|API|F6|K|W|endpoints|prefix|prev|kv|watch|put|hello|example|leader|learner|follower)$/i;

test('English and Chinese are switched live, wherever one is', async ({ page }) => {
  await healthy(page);
  await goTo(page, 'watch');
  await page.getByTestId('watch-key').fill('/zh/');
  await page.getByTestId('watch-key').press('Enter');
  await expect(page.getByTestId('watch-status')).toHaveText('Live');
  await page.keyboard.press('Control+k');
  await page.keyboard.type('简体');
  await page.keyboard.press('Enter');
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN');
  // The stream was not opened anew by it.
  await expect(page.getByTestId('watch-status')).toHaveText('实时');
  await expect(page.getByTestId('nav-watch')).toContainText('监听');
  const english = () =>
    page.evaluate(() => {
      const shown = document.querySelectorAll('.title, .rail, .nav, .status, .main, dialog[open]');
      const texts = [...shown].flatMap((part) => {
        const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
        const list: string[] = [];
        while (walker.nextNode()) {
          const { parentElement: parent, textContent } = walker.currentNode;
          if (parent?.closest('.mono, code') === null) list.push(textContent ?? '');
        }
        const labels = [...part.querySelectorAll('[aria-label], [title], [placeholder]')].filter(
          (element) => element.closest('.mono, code') === null,
        );
        for (const element of labels) {
          for (const name of ['aria-label', 'title', 'placeholder']) {
            list.push(element.getAttribute(name) ?? '');
          }
        }
        return list;
      });
      return texts.flatMap((text) => text.match(/[A-Za-z][A-Za-z0-9]+/g) ?? []);
    });
  const left = async () => [...new Set(await english())].filter((word) => !KEPT.test(word));
  expect(await left()).toEqual([]);
  await screenshots(page, 'watch-zh');
  await page.keyboard.press('w');
  await page.getByRole('radio', { name: '范围' }).click();
  await page.getByRole('radio', { name: '从版本' }).click();
  await screenshots(page, 'watch-form-zh');
  await page.keyboard.press('Escape');
  for (const [keys, name] of [
    ['r', 'rules'],
    ['Control+/', 'shortcuts'],
    ['Control+k', 'palette'],
  ] as const) {
    await page.getByTestId('nav-watch').focus();
    await page.keyboard.press(keys);
    await expect(page.locator('dialog[open]')).toBeVisible();
    expect(await left(), name).toEqual([]);
    await screenshots(page, `${name}-zh`);
    await page.keyboard.press('Escape');
    await expect(page.locator('dialog[open]')).toHaveCount(0);
  }
  await page.keyboard.press('Control+k');
  await page.keyboard.type('English');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('nav-watch')).toContainText('Watch');
  expect(await focused(page)).not.toBe('');
});
