import type { Page } from '@playwright/test';
import { stumbles } from './a11y.ts';
import { expect, goTo, healthy, screenshots, test } from './fixtures.ts';
import { launchApp } from './hosts.ts';

const row = (page: Page, key: string) => page.getByTestId(`note-${key}`);
const rows = (page: Page) => page.locator('[data-testid^="note-"][class~="row"]');
const title = (page: Page) => page.getByTestId('note-title');

async function command(page: Page, words: string): Promise<void> {
  await page.keyboard.press('Control+k');
  await page.keyboard.type(words);
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('palette')).toBeHidden();
}

test('the matrix: filters, details with their sources, keys, both languages', async ({ page }) => {
  await healthy(page);
  await goTo(page, 'notes');
  await expect(rows(page).first()).toBeVisible();
  const total = await rows(page).count();
  expect(total).toBeGreaterThan(60);
  expect(await stumbles(page)).toEqual([]);
  await screenshots(page, 'notes');

  // Words, a topic, a system; what is left is said.
  await page.keyboard.press('/');
  await page.keyboard.type('jute');
  await expect(page.getByTestId('notes-say')).toContainText(`of ${total}`);
  expect(await rows(page).count()).toBeLessThan(4);
  await expect(row(page, 'limits-value')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(rows(page)).toHaveCount(total);
  await page.getByTestId('notes-topic').selectOption('watch');
  await expect(row(page, 'watch-missed')).toBeVisible();
  await expect(row(page, 'limits-value')).toBeHidden();
  await page.getByTestId('notes-system').getByRole('radio', { name: 'Consul' }).click();
  await expect(page.getByRole('columnheader', { name: 'ZooKeeper' })).toBeHidden();
  await expect(page.getByTestId('claim-etcd')).toBeHidden();
  await expect(page.getByTestId('claim-consul')).toBeVisible();
  await screenshots(page, 'notes-one-system');
  await page.getByTestId('notes-search').fill('nothing like it');
  await expect(page.getByTestId('notes-none')).toBeVisible();
  await page.getByTestId('notes-none').getByRole('button').click();
  await expect(rows(page)).toHaveCount(total);

  // From the row to its details and back, by keys alone.
  await page.getByTestId('notes-topic').selectOption('watch');
  await page.getByTestId('notes-search').press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await expect(title(page)).toHaveText('Can a change be missed?');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('note-detail')).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(page.getByTestId('claim-etcd').getByRole('link').first()).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(row(page, 'watch-missed').getByRole('button')).toBeFocused();

  // Every claim names its sources; they open outside, and know nothing of us.
  for (const system of ['etcd', 'zookeeper', 'consul']) {
    const links = page.getByTestId(`claim-${system}`).getByRole('link');
    for (const link of await links.all()) {
      await expect(link).toHaveAttribute('href', /^https:\/\//);
      await expect(link).toHaveAttribute('target', '_blank');
      await expect(link).toHaveAttribute('rel', /noreferrer/);
    }
    expect(await links.count()).toBeGreaterThan(0);
  }

  // The language changes under an open row.
  await command(page, '>中文');
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN');
  await expect(title(page)).toHaveText('会错过变更吗？');
  await expect(page.getByTestId('claim-etcd')).toContainText('不丢事件');
  await page.getByTestId('notes-topic').selectOption('');
  await expect(row(page, 'watch-missed')).toBeInViewport();
  await screenshots(page, 'notes-zh');
});

test('own notes are kept: beside their row, over a reload and a restart', async ({
  page,
  app,
  dataDir,
}, testInfo) => {
  await healthy(page);
  await goTo(page, 'notes');
  await row(page, 'watch-missed').click();
  await page.keyboard.press('n');
  await expect(page.getByTestId('own-note')).toBeFocused();
  await page.keyboard.type('We rely on this.');
  await page.keyboard.press('Enter');
  await page.keyboard.type('审计用');
  await expect(page.getByTestId('own-state')).toHaveText('Saved');
  await expect(row(page, 'watch-missed').getByTestId('has-own')).toBeVisible();

  // Another row has a note of its own; what is not saved yet is not lost by going away.
  await row(page, 'limits-value').click();
  await expect(page.getByTestId('own-note')).toHaveValue('');
  await page.getByTestId('own-note').fill('1 MiB is enough');
  await row(page, 'watch-missed').click();
  await expect(page.getByTestId('own-note')).toHaveValue('We rely on this.\n审计用');
  await page.getByTestId('notes-show').selectOption('own');
  await expect(rows(page)).toHaveCount(2);
  await screenshots(page, 'notes-own');
  await page.reload();
  await row(page, 'limits-value').click();
  await expect(page.getByTestId('own-note')).toHaveValue('1 MiB is enough');
  await page.getByTestId('own-note').fill('');
  await expect(page.getByTestId('own-state')).toHaveText('');

  await app.close();
  const again = await launchApp(testInfo.project.name, dataDir);
  try {
    await goTo(again.page, 'notes');
    await row(again.page, 'watch-missed').click();
    await expect(again.page.getByTestId('own-note')).toHaveValue('We rely on this.\n审计用');
    await expect(again.page.getByTestId('has-own')).toHaveCount(1);
  } finally {
    await again.close();
  }
});

test('every experiment runs on the local cluster, and shows that its claim holds', async ({
  page,
}) => {
  await healthy(page);
  await goTo(page, 'notes');
  const experiments = [
    ['watch-missed', 'watch-history', 3],
    ['transactions-cas', 'cas-loses', 4],
    ['leases-expires', 'lease-expiry', 3],
    ['locks-fencing', 'lock-fencing', 4],
    ['reads-minority', 'quorum-reads', 5],
  ] as const;
  for (const [key, name, checks] of experiments) {
    await row(page, key).click();
    await page.keyboard.press('t');
    await expect(page.getByTestId('trial-stop')).toBeVisible();
    await expect(page.getByTestId('trial-verdict')).toHaveAttribute('data-held', 'true', {
      timeout: 45_000,
    });
    await expect(page.getByTestId('trial-check')).toHaveCount(checks);
    await expect(page.getByTestId('trial-cleaned')).toContainText('Removed again');
    expect(await page.getByTestId('trial-answer').count()).toBeGreaterThan(3);
    const text = (await page.getByTestId('trial').textContent()) ?? '';
    expect(text).not.toMatch(/\{\w+\}|undefined|NaN/);
    expect(await stumbles(page)).toEqual([]);
    await expect(page.getByTestId('trial-verdict')).toBeInViewport();
    await expect(page.getByTestId('notes-search')).toBeInViewport();
    await screenshots(page, `notes-try-${name}`);
  }
  // A run is still there after another row was looked at; its words follow the language.
  await row(page, 'watch-missed').click();
  await expect(page.getByTestId('trial-verdict')).toContainText('Seen to hold: 3 of 3');
  await command(page, '>中文');
  await expect(page.getByTestId('trial-verdict')).toContainText('观察到成立');
  await page.getByTestId('trial').scrollIntoViewIfNeeded();
  await screenshots(page, 'notes-try-zh');
  // Nothing of them is left in the cluster.
  await goTo(page, 'keys');
  await expect(page.getByTestId('keys-empty')).toBeVisible();
});

test('an experiment that is stopped has no verdict, and can be run again', async ({ page }) => {
  await healthy(page);
  await goTo(page, 'notes');
  await row(page, 'leases-expires').click();
  await page.getByTestId('trial-run').click();
  await page.getByTestId('trial-stop').click();
  await expect(page.getByTestId('trial-stopped')).toBeVisible();
  await expect(page.getByTestId('trial-verdict')).toBeHidden();
  // What it made is removed all the same.
  await goTo(page, 'keys');
  await expect(page.getByTestId('keys-empty')).toBeVisible();
  await goTo(page, 'notes');
  await row(page, 'leases-expires').click();
  await expect(page.getByTestId('trial-run')).toBeVisible();
});
