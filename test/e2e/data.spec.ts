import { TestClient } from '../support/client.ts';
import { etcdctl, onPath } from '../support/cluster.ts';
import { endpoints, expect, goTo, healthy, screenshots, test } from './fixtures.ts';

const hasEtcdctl = onPath('etcdctl');

/** Puts with a client that is not ours where there is one. */
async function put(endpoint: string, key: string, value: string): Promise<void> {
  if (hasEtcdctl) {
    expect(etcdctl([endpoint], 'put', key, value)).toMatchObject({ code: 0, stdout: 'OK\n' });
    return;
  }
  const client = new TestClient(`http://${endpoint}`);
  await client.put(key, value);
  client.close();
}

test('what a client puts through any node shows in the watch panel, once and in order', async ({
  page,
}) => {
  await healthy(page);
  const nodes = await endpoints(page);
  expect(nodes).toHaveLength(3);
  await goTo(page, 'watch');
  await screenshots(page, 'watch-empty');
  await page.getByTestId('watch-key').fill('/live/');
  await page.getByTestId('watch-start').click();
  await expect(page.getByTestId('watch-status')).toBeVisible();
  for (const [i, node] of nodes.entries()) await put(node, `/live/${i}`, `through node ${i}`);
  const events = page.getByTestId('watch-event');
  await expect(events).toHaveCount(3);
  for (let i = 0; i < 3; i++) await expect(events.filter({ hasText: `/live/${i}` })).toHaveCount(1);
  await screenshots(page, 'watch');

  await page.getByTestId('watch-pause').click();
  await put(nodes[0] as string, '/live/held', 'x');
  await expect(page.getByTestId('watch-held')).toContainText('1');
  await page.getByTestId('watch-pause').click();
  await expect(events).toHaveCount(4);
});

test('keys: create, find by prefix, edit, delete; every node has what was written', async ({
  page,
}) => {
  await healthy(page);
  const nodes = await endpoints(page);
  await goTo(page, 'keys');
  await expect(page.getByTestId('keys-empty')).toBeVisible();
  await screenshots(page, 'keys-empty');
  for (let i = 0; i < 40; i++) await put(nodes[i % 3] as string, `/config/${i}`, `{"n":${i}}`);
  await page.getByTestId('keys-new').click();
  await page.getByTestId('create-key').fill('/app/settings.json');
  await page.getByTestId('create-value').fill('{"retries": 3}');
  await page.getByTestId('create-submit').click();
  await expect(page.getByTestId('key-name')).toContainText('settings.json');

  await page.getByTestId('keys-search').fill('/app/');
  await expect(page.getByTestId('key-row')).toHaveCount(1);
  await page.getByTestId('key-edit').click();
  await page.getByTestId('draft-input').fill('{"retries": 5}');
  await page.getByTestId('draft-save').click();
  await expect(page.getByTestId('review-diff')).toContainText('5');
  await page.getByTestId('draft-confirm').click();
  await expect(page.getByTestId('value-pane')).toContainText('5');
  if (hasEtcdctl) {
    for (const node of nodes) {
      const { stdout } = etcdctl([node], 'get', '/app/settings.json', '--print-value-only');
      expect(stdout.trim()).toBe('{"retries": 5}');
    }
  }
  await page.getByTestId('keys-search').fill('/config/');
  await expect(page.getByTestId('key-row').filter({ hasText: '/config/0' })).toBeVisible();
  await screenshots(page, 'keys');
  await page.getByTestId('keys-search').fill('/app/');
  // Not the first row: until the search has answered that is another key's.
  await page.getByTestId('key-row').filter({ hasText: 'settings.json' }).click();
  await expect(page.getByTestId('key-name')).toContainText('settings.json');
  await page.getByTestId('key-delete').click();
  await expect(page.getByTestId('delete-count')).toContainText('1');
  await page.getByTestId('delete-submit').click();
  await expect(page.getByTestId('keys-none')).toBeVisible();
});

test('a value that changed meanwhile is never overwritten silently', async ({ page }) => {
  await healthy(page);
  const [node] = (await endpoints(page)) as [string];
  await put(node, '/shared', 'first');
  await goTo(page, 'keys');
  await page.getByTestId('keys-search').fill('/shared');
  await page.getByTestId('key-row').filter({ hasText: '/shared' }).click();
  await page.getByTestId('key-edit').click();
  await page.getByTestId('draft-input').fill('mine');
  await put(node, '/shared', 'theirs');
  await page.getByTestId('draft-save').click();
  await page.getByTestId('draft-confirm').click();
  await expect(page.getByTestId('key-conflict')).toBeVisible();
  await expect(page.getByTestId('key-conflict')).toContainText('theirs');
  await screenshots(page, 'keys-conflict');
  await page.getByTestId('merge-take').getByRole('radio').nth(1).click();
  await page.getByTestId('merge-save').click();
  await expect(page.getByTestId('key-conflict')).toBeHidden();
  if (hasEtcdctl) {
    expect(etcdctl([node], 'get', '/shared', '--print-value-only').stdout.trim()).toBe('mine');
  }
});

test('leases: grant, see it count down with its key, revoke', async ({ page }) => {
  await healthy(page);
  const [node] = (await endpoints(page)) as [string];
  await goTo(page, 'leases');
  await page.getByTestId('leases-grant').click();
  await page.getByTestId('grant-ttl').fill('600');
  await page.getByTestId('grant-submit').click();
  const row = page.getByTestId('lease-row');
  await expect(row).toHaveCount(1);
  const id = (await row.getAttribute('data-id')) as string;
  if (hasEtcdctl) {
    expect(etcdctl([node], 'put', '/leased', 'v', `--lease=${id}`).stdout).toBe('OK\n');
  }
  await row.click();
  await expect(page.getByTestId('lease-drawer')).toBeVisible();
  if (hasEtcdctl) await expect(page.getByTestId('lease-keys')).toContainText('/leased');
  await screenshots(page, 'leases');
  await page
    .getByTestId('lease-drawer')
    .getByRole('button', { name: /revoke/i })
    .click();
  await expect(page.getByTestId('revoke-deletes')).toContainText(hasEtcdctl ? '1' : '0');
  await page.getByTestId('revoke-submit').click();
  await expect(page.getByTestId('leases-empty')).toBeVisible();
  if (hasEtcdctl) expect(etcdctl([node], 'get', '/leased').stdout).toBe('');
});

test('storage: sizes against the quota, compact to a revision, defragment', async ({ page }) => {
  await healthy(page);
  const [node] = (await endpoints(page)) as [string];
  for (let i = 0; i < 20; i++) await put(node, '/same', `v${i}`);
  await goTo(page, 'storage');
  await expect(page.getByTestId('storage-revision')).toContainText('21');
  await page.getByRole('button', { name: /^Compact/ }).click();
  await page.getByTestId('compact-revision').fill('15');
  await page.getByTestId('compact-submit').click();
  await expect(page.getByTestId('compact-dialog')).toBeHidden();
  await expect(page.getByTestId('storage-compacted')).toContainText('15');
  if (hasEtcdctl) {
    expect(etcdctl([node], 'get', '/same', '--rev=10').stderr).toContain('compacted');
  }
  await screenshots(page, 'storage');
  await page.getByRole('button', { name: /^Defragment/ }).click();
  await page.getByTestId('defrag-start').click();
  await expect(page.locator('[data-testid="defrag-row"][data-state="done"]')).toHaveCount(3);
});
