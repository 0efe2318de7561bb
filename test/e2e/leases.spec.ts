import type { Page } from '@playwright/test';
import { TestClient } from '../support/client.ts';
import { Etcd, hasEtcd } from './etcd.ts';
import { endpoints, expect, goTo, healthy, screenshots, test } from './fixtures.ts';

const LEASES = 10_000;
const AT_ONCE = 200;
const SCROLLS = 10;
/** Rows that may be in the page, whatever the number of leases. */
const MAX_ROWS = 100;

async function grant(endpoint: string): Promise<void> {
  const client = new TestClient(`http://${endpoint}`);
  for (let i = 0; i < LEASES; i += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, k) => client.grant(3_600 + i + k)));
  }
  client.close();
}

/** Long tasks of the page from here on. */
async function observe(page: Page): Promise<() => Promise<number[]>> {
  await page.evaluate(() => {
    const blocks: number[] = [];
    Object.assign(window, { blocks });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) blocks.push(Math.round(entry.duration));
    }).observe({ type: 'longtask' });
  });
  return () => page.evaluate(() => (window as unknown as { blocks: number[] }).blocks);
}

async function tenThousand(page: Page, name: string): Promise<void> {
  const started = performance.now();
  await goTo(page, 'leases');
  await expect(page.getByTestId('leases-view')).toContainText('All 10,000', { timeout: 60_000 });
  const shownMs = Math.round(performance.now() - started);
  const blocksSoFar = await observe(page);
  const list = page.getByTestId('leases-list');
  for (let i = 0; i < SCROLLS; i++) {
    await list.hover();
    await page.mouse.wheel(0, 2_000);
    expect(await page.getByTestId('lease-row').count()).toBeLessThan(MAX_ROWS);
  }
  // Said, not judged: each reading brings all rows, which still blocks the page for too long.
  const blocks = await blocksSoFar();
  console.log(`${name}: ${LEASES} leases listed in ${shownMs} ms; long tasks of ${blocks} ms`);
  await screenshots(page, `leases-many-${name}`);

  // One of them: found by its id, kept alive, let go, revoked.
  const row = page.getByTestId('lease-row').first();
  const id = (await row.getAttribute('data-id')) as string;
  await page.getByTestId('leases-search').fill(id);
  await expect(page.getByTestId('lease-row')).toHaveCount(1);
  await page.getByTestId('lease-row').click();
  const keep = page.getByTestId('lease-keepalive');
  await keep.click();
  await expect(page.getByTestId('lease-row').locator('.keep')).toContainText('from here');
  await keep.click();
  await page
    .getByTestId('lease-drawer')
    .getByRole('button', { name: /revoke/i })
    .click();
  await page.getByTestId('revoke-submit').click();
  await expect(page.getByTestId('leases-none')).toBeVisible();
}

test('ten thousand leases of a local cluster', async ({ page }) => {
  await healthy(page);
  const [endpoint] = (await endpoints(page)) as [string];
  await grant(endpoint);
  await tenThousand(page, 'local');
});

test.describe('a remote etcd', () => {
  test.skip(!hasEtcd, 'etcd is not installed');
  let etcd: Etcd;
  test.beforeAll(async () => {
    etcd = await Etcd.start();
  });
  test.afterAll(() => etcd.dispose());

  test('ten thousand leases', async ({ page }) => {
    await grant(etcd.endpoint);
    await page.getByTestId('add-cluster').click();
    await page.getByTestId('remote-name').fill('far');
    await page.getByTestId('remote-endpoints').fill(etcd.endpoint);
    await page.getByTestId('remote-connect').click();
    await healthy(page);
    await tenThousand(page, 'far');
  });
});
