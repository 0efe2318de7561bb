import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { TestClient } from '../support/client.ts';
import { etcdctl, onPath, removeDir, tempDir } from '../support/cluster.ts';
import { Etcd, hasEtcd } from './etcd.ts';
import { endpoints, expect, goTo, healthy, screenshots, test } from './fixtures.ts';

const FOLDERS = ['/registry/pods/', '/registry/events/', '/config/', '/config/deep/'];

/** The same for any cluster: what is written is what the view has to find again. */
async function fill(endpoint: string): Promise<void> {
  const client = new TestClient(`http://${endpoint}`);
  for (const [i, folder] of FOLDERS.entries()) {
    for (let k = 0; k < 10; k++) await client.put(`${folder}${k}`, 'v'.repeat(100 * (4 - i)));
  }
  for (let i = 0; i < 20; i++) await client.put('/config/0', `v${i}`);
  client.close();
}

/** Everything the view measures, counts, compares and saves, on the cluster on show. */
async function useTools(page: Page, name: string, members: number, dir: string): Promise<string> {
  await goTo(page, 'storage');
  await expect(page.getByTestId('storage-revision')).toContainText('61');
  await expect(page.getByTestId('storage-forecast')).toHaveAttribute('data-kind', /tooEarly|not/);

  await page.getByTestId('space-start').click();
  const space = page.getByTestId('storage-space');
  await expect(space).toHaveAttribute('data-state', 'done');
  const rows = page.getByTestId('space-row');
  await expect(rows).toHaveCount(2);
  await expect(rows.first()).toContainText('/registry/');
  await rows.filter({ hasText: '/config/' }).getByRole('button').click();
  await expect(rows.first()).toHaveAttribute('data-key', '/config/deep/');
  await expect(rows).toHaveCount(11);
  await page.getByTestId('space-trail').getByRole('button').first().click();
  await expect(rows).toHaveCount(2);

  await page.getByTestId('hashes-start').click();
  await expect(page.getByTestId('hashes-verdict')).toHaveAttribute(
    'data-verdict',
    members > 1 ? 'equal' : 'unknown',
  );
  await expect(page.getByTestId('hashes-row')).toHaveCount(members);

  const arrives = page.waitForEvent('download');
  await page.getByTestId('snapshot-start').click();
  const download = await arrives;
  expect(download.suggestedFilename()).toMatch(/^[a-z]+-\d{4}-\d\d-\d\dT[\d-]+\.db$/);
  const file = join(dir, 'saved.db');
  await download.saveAs(file);
  await expect(page.getByTestId('snapshot-done')).toBeVisible();
  expect(readFileSync(file).length % 512).toBe(32);
  if (onPath('etcdctl')) {
    const { stdout, code } = etcdctl([], 'snapshot', 'status', file, '-w', 'json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ revision: 61 });
  }
  await screenshots(page, `storage-tools-${name}`);
  await page.getByTestId('storage-hashes').scrollIntoViewIfNeeded();
  await screenshots(page, `storage-upkeep-${name}`);
  return file;
}

/** What would go is counted before, and gone after. */
async function compactTo(page: Page, endpoint: string, name: string): Promise<void> {
  await page.getByRole('button', { name: /^Compact/ }).click();
  await page.getByRole('radio', { name: 'To a time' }).click();
  await page.getByTestId('compact-time').fill('1d');
  await expect(page.getByTestId('compact-problem')).toContainText('not known');
  await page.getByTestId('compact-time').fill('nonsense');
  await expect(page.getByTestId('compact-problem')).toContainText('13:05');
  await page.getByTestId('compact-time').fill('0s');
  // 60 writes of 40 keys.
  await expect(page.getByTestId('compact-effect')).toContainText('at least 20 go');
  await expect(page.getByTestId('compact-effect')).toContainText('40 keys');
  await screenshots(page, `storage-compact-${name}`);
  await page.getByTestId('compact-submit').click();
  await expect(page.getByTestId('storage-compacted')).toContainText('61');
  if (onPath('etcdctl')) {
    expect(etcdctl([endpoint], 'get', '/config/0', '--rev=60').stderr).toContain('compacted');
  }
}

/** A damaged file is refused; a sound one becomes a cluster that has all of it. */
async function restore(page: Page, name: string, file: string): Promise<void> {
  const damaged = `${file}.damaged`;
  const bytes = readFileSync(file);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  writeFileSync(damaged, bytes);
  await page.getByTestId('restore-open').click();
  await page.getByTestId('restore-file').fill(damaged);
  await page.getByRole('radio', { name: '1 node' }).click();
  await page.getByTestId('restore-submit').click();
  await expect(page.getByTestId('restore-error')).toContainText('checksum');
  await screenshots(page, `storage-restore-${name}`);
  await page.getByTestId('restore-file').fill(file);
  await page.getByTestId('restore-submit').click();
  await expect(page.getByTestId('restore-dialog')).toBeHidden();
  await healthy(page);
  await expect(page.getByTestId('storage-revision')).toContainText('61');
  await expect(page.getByTestId('storage-view')).toContainText('40');
  await goTo(page, 'keys');
  await page.getByTestId('keys-search').fill('/config/deep/');
  await expect(page.getByTestId('key-row').filter({ hasText: '/config/deep/9' })).toHaveCount(1);
}

let dir: string;
test.beforeEach(() => {
  dir = tempDir();
});
test.afterEach(() => removeDir(dir));

test('a local cluster: space, comparison, snapshot, compaction to a time, restore', async ({
  page,
}) => {
  await healthy(page);
  const [endpoint] = (await endpoints(page)) as [string];
  await fill(endpoint);
  const file = await useTools(page, 'local', 3, dir);
  await compactTo(page, endpoint, 'local');
  await restore(page, 'local', file);
});

test.describe('a remote etcd', () => {
  test.skip(!hasEtcd, 'etcd is not installed');
  let etcd: Etcd;
  test.beforeAll(async () => {
    etcd = await Etcd.start();
  });
  test.afterAll(() => etcd.dispose());

  test('space, comparison, snapshot, compaction to a time, restore', async ({ page }) => {
    await fill(etcd.endpoint);
    await page.getByTestId('add-cluster').click();
    await page.getByTestId('remote-name').fill('far');
    await page.getByTestId('remote-endpoints').fill(etcd.endpoint);
    await page.getByTestId('remote-connect').click();
    await healthy(page);
    const file = await useTools(page, 'far', 1, dir);
    await compactTo(page, etcd.endpoint, 'far');
    await restore(page, 'far', file);
  });
});
