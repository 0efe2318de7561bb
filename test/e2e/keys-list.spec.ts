import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { Etcd3 } from 'etcd3';
import { etcdctl, freeBasePort, onPath, removeDir, tempDir, until } from '../support/cluster.ts';
import { endpoints, expect, goTo, healthy, screenshots, test } from './fixtures.ts';

const hasEtcd = onPath('etcd') && onPath('etcdctl');
if (!hasEtcd) console.warn('SKIPPED: the list of keys against etcd. It is not on PATH.');

/** Screenshots of every step, for people to look at. */
const LOOK = process.env.LOOK === '1';

/** More entries than one page of a level has. */
const MANY = 450;

async function fill(client: Etcd3): Promise<void> {
  const keys = [
    'plain',
    '/greeting',
    '/svc/checkout/retry',
    '/svc/checkout/owner',
    '/svc/cart/ttl',
  ];
  const many = Array.from({ length: MANY }, (_, i) => `/many/${String(i).padStart(4, '0')}`);
  for (const key of [...keys, ...many]) await client.put(key).value(`of ${key}`);
}

async function browseAsTree(page: Page, client: Etcd3): Promise<void> {
  const row = (name: string) => page.getByTestId('tree-row').filter({ hasText: name }).first();
  await fill(client);
  await goTo(page, 'keys');
  await page.getByTestId('keys-refresh').click();
  await page.getByTestId('keys-list').focus();
  await page.keyboard.press('t');
  const tree = page.getByTestId('keys-tree');
  await expect(row('plain')).toBeVisible();
  await expect(tree.getByText('/', { exact: true })).toBeVisible();

  // By keyboard alone: into a folder of a folder, and to a value.
  await tree.focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  await expect(row('svc/')).toBeVisible();
  await row('svc/').click();
  await expect(row('checkout/')).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowRight');
  await expect(row('owner')).toBeVisible();
  await page.keyboard.press('ArrowRight');
  await expect(page.getByTestId('key-name')).toContainText('/svc/checkout/owner');
  if (LOOK) await screenshots(page, 'keys-tree');

  // A refresh keeps what is open, and shows what is new.
  await client.put('/svc/checkout/added').value('1');
  await page.getByTestId('keys-refresh').click();
  await expect(row('added')).toBeVisible();
  await expect(row('owner')).toBeVisible();

  // A large folder is read on as its end comes into view.
  await row('many/').click();
  await expect(row('0000')).toBeVisible();
  await tree.focus();
  await expect(async () => {
    await page.keyboard.press('End');
    await expect(row('plain')).toBeVisible({ timeout: 300 });
    const last = page.getByTestId('tree-row').filter({ hasText: 'svc/' });
    await expect(last).toBeVisible({ timeout: 300 });
  }).toPass();

  // Another separator makes other folders; the choice outlives the page.
  await page.getByTestId('keys-separator').fill('y');
  await page.getByTestId('keys-separator').press('Enter');
  await expect(row('/many')).toBeVisible();
  await page.reload();
  await healthy(page);
  await goTo(page, 'keys');
  await expect(page.getByTestId('keys-separator')).toHaveValue('y');
  await page.getByTestId('keys-separator').fill('/');
  await page.getByTestId('keys-separator').press('Enter');
  await expect(row('plain')).toBeVisible();
}

test('keys of a local cluster are browsed as a tree', async ({ page }) => {
  await healthy(page);
  const nodes = await endpoints(page);
  const client = new Etcd3({ hosts: nodes.map((node) => `http://${node}`) });
  try {
    await browseAsTree(page, client);
  } finally {
    client.close();
  }
});

test.describe('an etcd', () => {
  test.skip(!hasEtcd, 'needs etcd');
  let etcd: ChildProcess;
  let dir: string;
  let endpoint: string;

  test.beforeAll(async () => {
    dir = tempDir();
    const port = await freeBasePort(2);
    endpoint = `127.0.0.1:${port}`;
    const url = `http://${endpoint}`;
    const peer = `http://127.0.0.1:${port + 1}`;
    etcd = spawn(
      'etcd',
      [
        ['--name', 'far', '--data-dir', join(dir, 'data'), '--log-level', 'error'],
        ['--listen-client-urls', url, '--advertise-client-urls', url],
        ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
        ['--initial-cluster', `far=${peer}`],
      ].flat(),
      { stdio: 'ignore' },
    );
    await until('etcd serves', () => etcdctl([endpoint], 'get', 'any').code === 0 || undefined);
  });
  test.afterAll(async () => {
    etcd.kill('SIGKILL');
    await new Promise((resolve) => etcd.once('exit', resolve));
    removeDir(dir);
  });

  test('its keys are browsed as a tree', async ({ page }) => {
    await healthy(page);
    await page.getByTestId('add-cluster').click();
    await page.getByTestId('remote-name').fill('far');
    await page.getByTestId('remote-endpoints').fill(endpoint);
    await page.getByTestId('remote-test').click();
    await expect(page.getByTestId('test-results')).toContainText('3.');
    await page.getByTestId('remote-connect').click();
    await healthy(page);
    const client = new Etcd3({ hosts: [`http://${endpoint}`] });
    try {
      await browseAsTree(page, client);
    } finally {
      client.close();
    }
  });
});
