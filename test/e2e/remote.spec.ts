import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { etcdctl, freeBasePort, onPath, removeDir, tempDir, until } from '../support/cluster.ts';
import { expect, goTo, healthy, screenshots, test } from './fixtures.ts';

const hasEtcd = onPath('etcd') && onPath('etcdctl');
if (!hasEtcd) console.warn('SKIPPED: a remote etcd in the app. etcd and etcdctl are not on PATH.');

test.describe('a remote etcd', () => {
  test.skip(!hasEtcd, 'etcd and etcdctl are not on PATH');
  let etcd: ChildProcess;
  let endpoint: string;
  let dir: string;

  test.beforeAll(async () => {
    dir = tempDir();
    const port = await freeBasePort(2);
    endpoint = `127.0.0.1:${port}`;
    const [client, peer] = [`http://${endpoint}`, `http://127.0.0.1:${port + 1}`];
    const flags = ['--name', 'far', '--data-dir', join(dir, 'etcd')];
    flags.push('--listen-client-urls', client, '--advertise-client-urls', client);
    flags.push('--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer);
    flags.push('--initial-cluster', `far=${peer}`);
    etcd = spawn('etcd', flags, { stdio: 'ignore' });
    await until(
      'etcd serves',
      () => etcdctl([endpoint], 'put', '/far/key', 'away').code === 0 || undefined,
    );
  });

  test.afterAll(async () => {
    etcd.kill('SIGKILL');
    await new Promise((resolve) => etcd.once('exit', resolve));
    removeDir(dir);
  });

  test('is tested, added, read, watched; refused endpoints are explained', async ({ page }) => {
    await healthy(page);
    await page.getByTestId('add-cluster').click();
    await page.getByTestId('remote-name').fill('far');
    await page.getByTestId('remote-endpoints').fill('127.0.0.1:9');
    await page.getByTestId('remote-test').click();
    await expect(page.getByTestId('test-results')).toContainText(/refused|nothing listens|not/i);
    await page.getByTestId('remote-endpoints').fill(endpoint);
    await page.getByTestId('remote-test').click();
    await expect(page.getByTestId('test-results')).toContainText('3.');
    await screenshots(page, 'add-cluster');
    await page.getByTestId('remote-connect').click();
    await healthy(page);
    await goTo(page, 'keys');
    await expect(page.getByTestId('key-row').filter({ hasText: '/far/key' })).toHaveCount(1);
    await goTo(page, 'watch');
    await page.getByTestId('watch-key').fill('/far/');
    await page.getByTestId('watch-start').click();
    await expect(page.getByTestId('watch-status')).toBeVisible();
    etcdctl([endpoint], 'put', '/far/other', 'seen');
    await expect(page.getByTestId('watch-event').filter({ hasText: '/far/other' })).toHaveCount(1);
    await goTo(page, 'storage');
    await expect(page.getByTestId('storage-quota')).toBeVisible();
    await goTo(page, 'leases');
    await expect(page.getByTestId('leases-empty')).toBeVisible();
    // What etcd's Status does not tell is said, not left out.
    await goTo(page, 'raft');
    await expect(page.getByTestId('raft-far')).toHaveAttribute('data-source', 'status');
    await expect(page.getByTestId('raft-status-only')).toBeVisible();
    await expect(page.getByTestId('open-lab')).toHaveCount(0);
    await screenshots(page, 'raft-remote');
  });
});
