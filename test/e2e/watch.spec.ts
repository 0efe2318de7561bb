import { readFileSync } from 'node:fs';
import type { Locator, Page } from '@playwright/test';
import { TestClient } from '../support/client.ts';
import { Etcd, hasEtcd } from './etcd.ts';
import { endpoints, expect, goTo, healthy, screenshots, test } from './fixtures.ts';

if (!hasEtcd) console.warn('SKIPPED: watches on a remote etcd. etcd and etcdctl are not on PATH.');

const WHERE = ['a local cluster', 'a remote etcd'] as const;

/** Adds an etcd to the app and shows it. */
async function addRemote(page: Page, endpoint: string): Promise<void> {
  await page.getByTestId('add-cluster').click();
  await page.getByTestId('remote-name').fill('far');
  await page.getByTestId('remote-endpoints').fill(endpoint);
  await page.getByTestId('remote-connect').click();
  await healthy(page);
}

async function openWatch(
  page: Page,
  key: string,
  options: { scope?: 'range' | 'key'; end?: string; revision?: number; kinds?: string } = {},
): Promise<Locator> {
  if (await page.getByTestId('watch-new').isVisible()) await page.keyboard.press('w');
  const form = page.getByRole('form', { name: 'New watch' });
  await expect(form).toBeVisible();
  const scopes = { prefix: 'Prefix', range: 'Range', key: 'Key' };
  await form.getByRole('radio', { name: scopes[options.scope ?? 'prefix'], exact: true }).click();
  await form.getByTestId('watch-key').fill(key);
  if (options.end !== undefined) await form.getByTestId('watch-end').fill(options.end);
  const from = options.revision === undefined ? 'From now' : 'From revision';
  await form.getByRole('radio', { name: from }).click();
  if (options.revision !== undefined) {
    await form.getByTestId('watch-revision').fill(String(options.revision));
  }
  await form.getByTestId('watch-kinds').selectOption(options.kinds ?? 'both');
  await form.getByTestId('watch-key').press('Enter');
  const pane = page.locator('[data-testid="watch-pane"][data-active="true"]');
  await expect(pane.getByTestId('watch-status')).toHaveText(/Live|Compacted/);
  return pane;
}

const names = (pane: Locator) =>
  pane
    .getByTestId('watch-event')
    .evaluateAll((rows) => rows.map((row) => row.children[3]?.textContent));

for (const where of WHERE) {
  test.describe(`watches on ${where}`, () => {
    test.skip(where === 'a remote etcd' && !hasEtcd, 'etcd and etcdctl are not on PATH');
    let etcd: Etcd | undefined;
    let client: TestClient;

    test.beforeEach(async ({ page }) => {
      await healthy(page);
      if (where === 'a remote etcd') {
        etcd = await Etcd.start();
        await addRemote(page, etcd.endpoint);
      }
      const endpoint = etcd?.endpoint ?? ((await endpoints(page))[0] as string);
      client = new TestClient(`http://${endpoint}`);
      await goTo(page, 'watch');
    });

    test.afterEach(async () => {
      client.close();
      await etcd?.dispose();
      etcd = undefined;
    });

    test('prefix, range and key side by side, each with its own events', async ({ page }) => {
      await openWatch(page, '/app/');
      await openWatch(page, 'b', { scope: 'range', end: 'd' });
      const panes = page.getByTestId('watch-pane');
      await expect(panes).toHaveCount(2);
      await openWatch(page, 'leader', { scope: 'key', kinds: 'delete' });
      await page
        .getByTestId('watch-session')
        .nth(1)
        .click({ modifiers: ['Shift'] });
      await expect(panes).toHaveCount(3);
      for (const key of ['/app/a', '/other', 'a', 'b', 'cc', 'd', 'leader', 'leader2']) {
        await client.put(key, `value of ${key}`);
      }
      await client.delete('leader');
      await client.delete('/app/a');
      const of = (name: RegExp) => page.getByRole('region', { name });
      await expect.poll(() => names(of(/app/))).toEqual(['/app/a', '/app/a']);
      await expect.poll(() => names(of(/b … d/))).toEqual(['b', 'cc']);
      await expect.poll(() => names(of(/leader/))).toEqual(['leader']);
      await expect(of(/leader/).getByTestId('watch-event')).toHaveAttribute('data-type', 'delete');
      await page.getByRole('radio', { name: 'Side by side' }).click();
      await screenshots(page, `watch-panes-${etcd === undefined ? 'local' : 'etcd'}`);

      // They run on while another view is shown, and its name tells how many there are.
      await goTo(page, 'keys');
      await expect(page.getByTestId('nav-watch')).toContainText('3');
      await client.put('/app/meanwhile', 'x');
      await goTo(page, 'watch');
      await expect.poll(() => names(of(/app/))).toEqual(['/app/a', '/app/a', '/app/meanwhile']);
    });

    test('pause, search, filter, detail with the change, export', async ({ page }) => {
      const pane = await openWatch(page, '/');
      for (let i = 0; i < 30; i++) {
        const [key, value] = [
          `/job/${i % 10}`,
          JSON.stringify({ run: i, ok: i % 2 === 0 }, null, 2),
        ];
        await client.put(key, value);
      }
      await client.delete('/job/3');
      await expect(pane.getByTestId('watch-count')).toHaveText('31 events');

      await page.keyboard.press('Space');
      await expect(pane.getByTestId('watch-status')).toHaveText('Paused');
      await client.put('/held', 'x');
      await expect(pane.getByTestId('watch-held')).toContainText('1 ');
      await expect(pane.getByTestId('watch-count')).toHaveText('31 events');
      await page.keyboard.press('Space');
      await expect(pane.getByTestId('watch-count')).toHaveText('32 events');

      await pane.getByRole('radio', { name: 'Delete' }).click();
      await expect(pane.getByTestId('watch-count')).toHaveText('1 of 32 events');
      await pane.getByRole('radio', { name: 'All' }).click();
      await page.keyboard.press('/');
      await page.keyboard.type('"run": 2');
      await expect(pane.getByTestId('watch-count')).toHaveText('11 of 32 events');
      await page.keyboard.press('Enter');
      await page.keyboard.press('End');
      await page.keyboard.press('Enter');
      const detail = pane.getByTestId('watch-detail');
      await expect(detail.getByTestId('watch-diff')).toContainText('"run": 19');
      await expect(detail.getByTestId('watch-diff')).toContainText('"run": 29');
      await screenshots(page, `watch-detail-${etcd === undefined ? 'local' : 'etcd'}`);
      await page.keyboard.press('Escape');
      await expect(detail).toBeHidden();

      const download = page.waitForEvent('download');
      await page.keyboard.press('e');
      const lines = readFileSync(await (await download).path(), 'utf8')
        .trimEnd()
        .split('\n');
      expect(lines).toHaveLength(11);
      const last: unknown = JSON.parse(lines.at(-1) ?? '');
      expect(last).toMatchObject({ type: 'put', key: '/job/9', version: 3 });
    });

    test('from a revision; a compacted one says so and goes on from the earliest', async ({
      page,
    }) => {
      let revision = 0;
      for (let i = 0; i < 20; i++) {
        revision = (await client.put('/old', `v${i}`)).header?.revision ?? 0;
      }
      const early = await openWatch(page, '/old', { scope: 'key', revision: revision - 4 });
      await expect(early.getByTestId('watch-count')).toHaveText('5 events');
      await client.compact(revision - 9);
      const pane = await openWatch(page, '/', { revision: 2 });
      await expect(pane.getByTestId('watch-compacted')).toContainText(String(revision - 9));
      await screenshots(page, `watch-compacted-${etcd === undefined ? 'local' : 'etcd'}`);
      await pane.getByTestId('watch-earliest').click();
      await expect(pane.getByTestId('watch-count')).toHaveText('10 events');
      await expect(pane.getByTestId('watch-status')).toHaveText('Live');
    });

    test('rules notify on the desktop', async ({ page }) => {
      await page.context().grantPermissions(['notifications']);
      // As text: this side knows no window.
      await page.evaluate(`{
        const shown = [];
        const Real = Notification;
        window.Notification = class extends Real {
          constructor(title, options) {
            super(title, options);
            shown.push(title + ': ' + options?.body);
          }
        };
        window.shown = shown;
      }`);
      const pane = await openWatch(page, '/');
      await page.keyboard.press('r');
      const dialog = page.getByTestId('watch-rules');
      await dialog.getByTestId('rule-prefix').fill('/alarm/');
      await dialog.getByTestId('rule-threshold').fill('3');
      await dialog.getByTestId('rule-add').click();
      await dialog.getByTestId('rule-prefix').fill('/gone/');
      await dialog.getByTestId('rule-threshold').fill('1');
      await dialog.getByRole('radio', { name: 'Delete' }).click();
      await dialog.getByTestId('rule-add').click();
      await expect(dialog.getByTestId('watch-rule')).toHaveCount(2);
      await screenshots(page, `watch-rules-${etcd === undefined ? 'local' : 'etcd'}`);
      await page.keyboard.press('Escape');
      // Also while another view is shown.
      await goTo(page, 'keys');
      for (const key of ['/alarm/1', '/alarm/2', '/quiet', '/gone/1', '/alarm/3']) {
        await client.put(key, 'x');
      }
      await client.delete('/gone/1');
      const shown = () => page.evaluate<string[]>('window.shown');
      await expect
        .poll(shown)
        .toEqual(['3 events within 10 s: PUT /alarm/3', '1 event meets a rule: DEL /gone/1']);
      await goTo(page, 'watch');
      await expect(pane.getByTestId('watch-count')).toHaveText('6 events');
      // Rules stay over a reload, and so do watches, from where they were.
      await page.reload();
      await expect(pane.getByTestId('watch-count')).toHaveText('6 events');
      await page.getByTestId('watch-rules-open').click();
      await expect(page.getByTestId('watch-rule')).toHaveCount(2);
    });

    test('goes on after a break without a gap or a repetition', async ({ page }) => {
      const pane = await openWatch(page, '/n/');
      for (let i = 0; i < 5; i++) await client.put(`/n/${i}`, 'x');
      await expect(pane.getByTestId('watch-event')).toHaveCount(5);
      if (etcd === undefined) {
        // Its member is killed; the others go on.
        const served = await pane.getByTestId('watch-status').getAttribute('title');
        await goTo(page, 'overview');
        const name = /\S+$/.exec(served ?? '')?.[0] ?? '';
        const place = Number(/\d+$/.exec(name)?.[0]) - 1;
        const others = (await endpoints(page)).filter((_, i) => i !== place);
        await page.getByTestId(`kill-${name}`).click();
        client.close();
        client = new TestClient(`http://${others[0]}`);
        await goTo(page, 'watch');
      } else {
        await etcd.kill();
        await expect(pane.getByTestId('watch-reconnecting')).toContainText('nothing is lost');
        await screenshots(page, 'watch-reconnecting');
        await etcd.run();
      }
      for (let i = 5; i < 9; i++) await client.put(`/n/${i}`, 'x', 30_000);
      await expect(pane.getByTestId('watch-count')).toHaveText('9 events');
      expect(await names(pane)).toEqual(Array.from({ length: 9 }, (_, i) => `/n/${i}`));
    });
  });
}
