import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from '@playwright/test';
import { Etcd3 } from 'etcd3';
import { etcdctl, freeBasePort, onPath, removeDir, tempDir, until } from '../support/cluster.ts';
import { endpoints, expect, goTo, healthy, screenshots, test } from './fixtures.ts';

const hasEtcd = onPath('etcd') && onPath('etcdctl');
if (!hasEtcd) console.warn('SKIPPED: the detail of keys against etcd. It is not on PATH.');

/** Screenshots of every step, for people to look at. */
const LOOK = process.env.LOOK === '1';

const CHECKOUT = {
  service: 'checkout',
  maxAttempts: 3,
  backoff: { initialMs: 100, factor: 2, maxMs: 2000, jitter: 'full' },
  retryOn: ['UNAVAILABLE', 'RESOURCE_EXHAUSTED'],
  deadlineMs: 8000,
  hedging: { enabled: false },
  owner: 'payments@example.com',
};
const pretty = (value: unknown) => JSON.stringify(value, null, 2);

/** One cluster under test, written to by a client that is not ours. */
interface Target {
  page: Page;
  client: Etcd3;
}

async function look(page: Page, name: string): Promise<void> {
  if (!LOOK) return;
  await screenshots(page, name);
}

/** The local cluster, or an etcd that is added to the app. */
async function openLocal(page: Page): Promise<Target> {
  await healthy(page);
  const nodes = await endpoints(page);
  const client = new Etcd3({ hosts: nodes.map((node) => `http://${node}`) });
  return { page, client };
}

async function openRemote(page: Page, endpoint: string): Promise<Target> {
  await healthy(page);
  await page.getByTestId('add-cluster').click();
  await page.getByTestId('remote-name').fill('far');
  await page.getByTestId('remote-endpoints').fill(endpoint);
  await page.getByTestId('remote-test').click();
  await expect(page.getByTestId('test-results')).toContainText('3.');
  await page.getByTestId('remote-connect').click();
  await healthy(page);
  return { page, client: new Etcd3({ hosts: [`http://${endpoint}`] }) };
}

async function show(page: Page, key: string): Promise<void> {
  await goTo(page, 'keys');
  await page.getByTestId('keys-search').fill(key);
  const name = key.slice(key.lastIndexOf('/') + 1);
  await page.getByTestId('key-row').filter({ hasText: name }).first().click();
  await expect(page.getByTestId('key-name')).toContainText(name);
}

/** Replaces the text of a CodeMirror editor, as typing it would. */
async function write(page: Page, testid: string, text: string): Promise<void> {
  const editor = page.getByTestId(testid);
  await editor.click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.insertText(text);
}

/** Runs a line as someone who pastes it into a terminal. */
function inShell(line: string): string {
  return execFileSync('bash', ['-c', line], { encoding: 'utf8' });
}

async function revisionOf(client: Etcd3, key: string): Promise<number> {
  const { kvs } = await client.get(key).exec();
  return Number(kvs[0]?.mod_revision ?? 0);
}

function define(open: (page: Page) => Promise<Target>): void {
  test('values are shown by their content, and a choice is remembered', async ({ page }) => {
    const { client } = await open(page);
    const kubernetes = Buffer.concat([
      Buffer.from('k8s\0'),
      message([1, message([1, 'v1'], [2, 'ConfigMap'])], [2, configMap()], [3, ''], [4, '']),
    ]);
    await client.put('/v/a.json').value('{"b":[1,2],"id":12345678901234567890}');
    await client.put('/v/b.yaml').value('# limits\nlimits:\n  cpu: 2\nnames:\n  - a\n');
    await client.put('/v/c.xml').value('<beans><bean id="x"><p>1</p></bean></beans>');
    await client.put('/v/d.gz').value(gzipSync('{"packed":true}'));
    await client.put('/v/e.bomb').value(gzipSync(Buffer.alloc(20 * 1024 * 1024)));
    await client.put('/v/f.pb').value(message([1, 150], [2, message([1, 'inner'], [2, 7])]));
    await client.put('/v/g.k8s').value(kubernetes);
    await client.put('/v/h.bin').value(Buffer.from([0, 255, 254, 1]));
    const pane = page.getByTestId('value-pane');
    const expectKind = async (key: string, kind: string, text: string | RegExp) => {
      await show(page, key);
      await expect(pane).toHaveAttribute('data-mode', kind);
      await expect(pane).toContainText(text);
    };
    await expectKind('/v/a.json', 'json', '"id": 12345678901234567890');
    await look(page, 'detail-json');
    await expectKind('/v/b.yaml', 'yaml', 'cpu: 2');
    await expectKind('/v/c.xml', 'xml', /^\d*.*<bean id="x">/s);
    await expectKind('/v/d.gz', 'unpacked', '"packed": true');
    await expect(page.getByTestId('value-facts')).toContainText('gzip');
    await show(page, '/v/e.bomb');
    await expect(page.getByTestId('value-problem')).toContainText('16 MiB');
    await look(page, 'detail-bomb');
    await expectKind('/v/f.pb', 'protobuf', '1: "inner"');
    await expectKind('/v/g.k8s', 'kubernetes', 'namespace: kube-system');
    await expect(page.getByTestId('value-facts')).toContainText('ConfigMap coredns');
    await look(page, 'detail-k8s');
    await expectKind('/v/h.bin', 'hex', '00 ff fe 01');

    await show(page, '/v/a.json');
    await page.getByTestId('value-mode').selectOption('base64');
    await expect(pane).toContainText('eyJiIjpb');
    await show(page, '/v/b.yaml');
    await expect(pane).toHaveAttribute('data-mode', 'base64');
    await page.reload();
    await show(page, '/v/b.yaml');
    await expect(pane).toHaveAttribute('data-mode', 'base64');
    await page.getByTestId('value-mode').selectOption('auto');
    await expect(pane).toHaveAttribute('data-mode', 'yaml');
    client.close();
  });

  test('size, revisions, version, and a lease that counts down', async ({ page }) => {
    const { client } = await open(page);
    const lease = client.lease(60);
    await lease.put('/on-lease').value('first');
    await client.put('/on-lease').value('second').ignoreLease().exec();
    const { kvs } = await client.get('/on-lease').exec();
    const kv = kvs[0];
    await show(page, '/on-lease');
    const plain = (text: string | null) => (text ?? '').replaceAll(',', '');
    expect(plain(await page.getByTestId('key-create').textContent())).toBe(kv?.create_revision);
    expect(plain(await page.getByTestId('key-mod').textContent())).toBe(kv?.mod_revision);
    await expect(page.getByTestId('key-version')).toHaveText('2');
    await expect(page.getByTestId('key-size')).toHaveText('6 B');
    const left = page.getByTestId('key-lease-left');
    await expect(left).toContainText('of 1 min');
    const before = await left.textContent();
    await expect(left).not.toHaveText(before ?? '');
    await look(page, 'detail-lease');
    await lease.revoke();
    await expect(page.getByTestId('key-gone')).toBeVisible();
    await look(page, 'detail-gone');
    await page.getByTestId('gone-history').click();
    await expect(page.getByTestId('history-row')).toHaveCount(3);
    await expect(page.getByTestId('history-row').first()).toHaveAttribute('data-kind', 'delete');
    client.close();
  });

  test('editing checks, formats, shows the change, and saves by the keyboard', async ({ page }) => {
    const { client } = await open(page);
    await client.put('/e/config.json').value(pretty(CHECKOUT));
    await client.put('/e/app.yaml').value('a:   1\nb:\n    - x\n');
    await client.put('/e/one-line.json').value(JSON.stringify(CHECKOUT));
    await show(page, '/e/config.json');
    await page.keyboard.press('e');
    const input = page.getByTestId('draft-input');
    await expect(input).toBeFocused();
    await write(page, 'draft-input', '{"maxAttempts": }');
    await expect(page.getByTestId('draft-issue')).toContainText('1');
    await look(page, 'detail-issue');
    await write(page, 'draft-input', '{"maxAttempts":5}');
    await expect(page.getByTestId('draft-issue')).toBeHidden();
    await page.keyboard.press('Shift+Alt+F');
    await expect(input).toContainText('"maxAttempts": 5');
    await write(page, 'draft-input', pretty({ ...CHECKOUT, maxAttempts: 5, deadlineMs: 9000 }));
    await look(page, 'detail-edit');
    await page.keyboard.press('ControlOrMeta+S');
    await expect(page.getByTestId('review-diff')).toContainText('"maxAttempts": 3,');
    await expect(page.getByTestId('review-count')).toContainText('2');
    expect((await client.get('/e/config.json'))?.includes('"maxAttempts": 3')).toBe(true);
    await look(page, 'detail-review');
    await page.keyboard.press('ControlOrMeta+S');
    await expect(page.getByTestId('value-pane')).toContainText('"maxAttempts": 5');
    expect(await client.get('/e/config.json')).toBe(
      pretty({ ...CHECKOUT, maxAttempts: 5, deadlineMs: 9000 }),
    );

    await show(page, '/e/app.yaml');
    await page.getByTestId('key-edit').click();
    await write(page, 'draft-input', 'a:   1\nb: [1\n');
    await expect(page.getByTestId('draft-issue')).toBeVisible();
    await write(page, 'draft-input', 'a:   1\nb:\n    - y\n');
    await page.getByTestId('draft-format').click();
    await expect(input).toContainText('- y');
    await page.getByTestId('draft-save').click();
    await page.getByTestId('review-first').click();
    await page.getByTestId('draft-confirm').click();
    await expect(page.getByTestId('value-pane')).toBeVisible();
    expect(await client.get('/e/app.yaml')).toBe('a: 1\nb:\n- y\n');

    // No review any more, and what was on one line stays on one line.
    await show(page, '/e/one-line.json');
    await page.getByTestId('key-edit').click();
    await expect(input).toContainText('"maxAttempts": 3,');
    await write(page, 'draft-input', pretty({ ...CHECKOUT, maxAttempts: 4 }));
    await page.getByTestId('draft-save').click();
    await expect(page.getByTestId('value-pane')).toBeVisible();
    expect(await client.get('/e/one-line.json')).toBe(
      JSON.stringify({ ...CHECKOUT, maxAttempts: 4 }),
    );
    client.close();
  });

  test('an edit outlives a reload, and is marked in the list', async ({ page }) => {
    const { client } = await open(page);
    await client.put('/d/kept').value('one');
    await client.put('/d/other').value('one');
    await show(page, '/d/kept');
    await page.getByTestId('key-edit').click();
    await write(page, 'draft-input', 'typed, not saved');
    await page.reload();
    await show(page, '/d/kept');
    await expect(page.getByTestId('draft-input')).toContainText('typed, not saved');
    await expect(page.getByTestId('key-row').filter({ hasText: 'kept' })).toContainText(
      /edited|已编辑/,
    );
    // Someone else writes: the edit knows that it is behind.
    await client.put('/d/kept').value('two');
    await page.getByTestId('keys-search').fill('/d/');
    await page.getByTestId('key-row').filter({ hasText: 'other' }).click();
    await page.getByTestId('key-row').filter({ hasText: 'kept' }).click();
    await expect(page.getByTestId('draft-newer')).toBeVisible();
    await page.getByTestId('draft-discard').click();
    await page.reload();
    await show(page, '/d/kept');
    await expect(page.getByTestId('value-pane')).toContainText('two');
    client.close();
  });

  test('a conflict opens a merge of three texts, and overwrites nothing', async ({ page }) => {
    const { client } = await open(page);
    const key = '/m/config.json';
    await client.put(key).value(pretty(CHECKOUT));
    await show(page, key);
    await page.getByTestId('key-edit').click();
    await write(
      page,
      'draft-input',
      pretty({ ...CHECKOUT, maxAttempts: 5, owner: 'mine@example.com' }),
    );
    await client.put(key).value(pretty({ ...CHECKOUT, maxAttempts: 4, deadlineMs: 9000 }));
    await page.getByTestId('draft-save').click();
    await page.getByTestId('draft-confirm').click();
    await expect(page.getByTestId('key-conflict')).toBeVisible();
    await expect(page.getByTestId('merge-block')).toHaveCount(3);
    await expect(page.getByTestId('merge-save')).toHaveAttribute('aria-disabled', 'true');
    // What does not clash is in the result already.
    const result = page.getByTestId('merge-result');
    await expect(result).toContainText('"deadlineMs": 9000');
    await expect(result).toContainText('mine@example.com');
    await look(page, 'detail-merge');
    await page.getByTestId('merge-next').click();
    await page.keyboard.press('ArrowRight');
    const conflict = page.locator('[data-testid=merge-block][data-kind=conflict]');
    await conflict.getByRole('radio').first().click();
    await expect(result).toContainText('"maxAttempts": 4,');
    await expect(page.getByTestId('merge-save')).not.toHaveAttribute('aria-disabled', 'true');
    await look(page, 'detail-merge-decided');
    // A third one writes before it is saved: that opens a merge again, in which nothing clashes.
    await client.put(key).value(pretty({ ...CHECKOUT, maxAttempts: 4, deadlineMs: 9500 }));
    await page.getByTestId('merge-save').click();
    await expect(page.getByTestId('merge-block').filter({ hasText: '9500' })).toBeVisible();
    await expect(conflict).toHaveCount(0);
    await expect(result).toContainText('"deadlineMs": 9500');
    await page.keyboard.press('ControlOrMeta+S');
    await expect(page.getByTestId('key-conflict')).toBeHidden();
    expect(await client.get(key)).toBe(
      pretty({ ...CHECKOUT, maxAttempts: 4, deadlineMs: 9500, owner: 'mine@example.com' }),
    );
    client.close();
  });

  test('the history goes back to the compaction, compares any two, restores one', async ({
    page,
  }) => {
    const { client } = await open(page);
    const key = '/h/limits.json';
    const value = (n: number) => pretty({ ...CHECKOUT, maxAttempts: n });
    await client.put(key).value('lost');
    await client.delete().key(key);
    await client.put(key).value(value(1));
    const kept = await revisionOf(client, key);
    await client.kv.compact({ revision: String(kept), physical: false });
    await client.delete().key(key);
    for (let n = 2; n <= 40; n++) await client.put(key).value(value(n));
    await show(page, key);
    await page.keyboard.press('h');
    const rows = page.getByTestId('history-row');
    await expect(rows.first()).toContainText(/39/);
    await expect(page.getByTestId('history-diff')).toContainText('"maxAttempts": 40,');
    await look(page, 'detail-history');
    // Down to the creation, and behind it.
    await page.getByTestId('history-list').focus();
    await page.keyboard.press('End');
    await page.keyboard.press('End');
    await expect(page.getByTestId('history-end')).toHaveAttribute('data-end', 'created');
    await page.keyboard.press('End');
    await page.getByTestId('history-search').click();
    await expect(page.getByTestId('history-end')).toHaveAttribute('data-end', 'compacted');
    await page.getByTestId('history-list').focus();
    await page.keyboard.press('End');
    await expect(page.locator('[data-testid=history-row][data-kind=delete]')).toHaveCount(1);
    await expect(page.getByTestId('history-compared')).toContainText(String(kept));
    // Any two: the oldest that is left against the newest.
    await page.keyboard.press('Space');
    await page.keyboard.press('Home');
    await expect(page.getByTestId('history-diff')).toContainText('"maxAttempts": 1,');
    await expect(page.getByTestId('history-diff')).toContainText('"maxAttempts": 40,');
    await look(page, 'detail-history-two');
    await page.keyboard.press('End');
    await page.getByTestId('history-restore').click();
    await look(page, 'detail-restore');
    await page.getByTestId('restore-confirm').click();
    await expect(page.getByTestId('key-version')).toHaveText('40');
    expect(await client.get(key)).toBe(value(1));
    // A deleted key has a history, too.
    await client.delete().key(key);
    await page.getByTestId('key-name').click();
    await page.keyboard.press('r');
    await expect(rows.first()).toHaveAttribute('data-kind', 'delete');
    await rows.nth(1).click();
    await page.getByTestId('history-restore').click();
    await page.getByTestId('restore-confirm').click();
    await expect(page.getByTestId('key-version')).toHaveText('1');
    expect(await client.get(key)).toBe(value(1));
    client.close();
  });

  test('what is done can be copied as etcdctl and as TypeScript', async ({ page }) => {
    const { client } = await open(page);
    await client.put('/c/it').value("it's");
    await show(page, '/c/it');
    // The page has no permission for the clipboard here; as text, for these are the page's names.
    await page.evaluate(
      'navigator.clipboard.writeText = async (text) => { globalThis.copied = text; }',
    );
    const copied = () => page.evaluate<string>('globalThis.copied');
    await page.getByTestId('copy-as').click();
    await look(page, 'detail-copy');
    await page.getByTestId('menu-read-etcdctl').click();
    await expect.poll(copied).toMatch(/^etcdctl --endpoints=\S+ get \/c\/it$/);
    if (onPath('etcdctl')) expect(inShell(await copied())).toBe("/c/it\nit's\n");
    await page.getByTestId('key-edit').click();
    await write(page, 'draft-input', 'a "new" one');
    await page.getByTestId('draft-copy-as').click();
    await page.getByTestId('menu-save-typescript').click();
    await expect.poll(copied).toContain(`.value('a "new" one').ignoreLease()`);
    await page.getByTestId('draft-copy-as').click();
    await page.getByTestId('menu-save-etcdctl').click();
    await expect.poll(copied).toMatch(/etcdctl .*txn/s);
    if (onPath('etcdctl')) {
      // It does what a save does: once, and not over what has moved on since.
      const line = await copied();
      expect(inShell(line)).toContain('SUCCESS');
      expect(await client.get('/c/it')).toBe('a "new" one');
      await client.put('/c/it').value('theirs');
      expect(inShell(line)).toContain('FAILURE');
      expect(await client.get('/c/it')).toBe('theirs');
    }
    client.close();
  });
}

test.describe('on the local cluster', () => {
  define(openLocal);

  test('text over a selection that the editor has not heard of yet is taken in', async ({
    page,
  }) => {
    const { client } = await openLocal(page);
    await client.put('/late/a.json').value('{"retries": 3}');
    await show(page, '/late/a.json');
    // A slow page hears of a selection later than the text arrives; the fixture fails on what the
    // page's policy has to refuse.
    const session = await page.context().newCDPSession(page);
    await session.send('Emulation.setCPUThrottlingRate', { rate: 6 });
    for (let i = 0; i < 8; i++) {
      await page.getByTestId('key-edit').click();
      await page.getByTestId('draft-input').fill(`{"retries": ${i + 4}}`);
      await expect(page.getByTestId('draft-input')).toHaveText(`{"retries": ${i + 4}}`);
      await expect(page.getByTestId('draft-save')).toBeEnabled();
      await page.getByTestId('draft-discard').click();
    }
    client.close();
  });
});

test.describe('on a remote etcd', () => {
  test.skip(!hasEtcd, 'etcd and etcdctl are not on PATH');
  let etcd: ChildProcess;
  let endpoint: string;
  let dir: string;

  test.beforeEach(async () => {
    dir = tempDir();
    const port = await freeBasePort(2);
    endpoint = `127.0.0.1:${port}`;
    const [clientUrl, peer] = [`http://${endpoint}`, `http://127.0.0.1:${port + 1}`];
    const flags = ['--name', 'far', '--data-dir', join(dir, 'etcd')];
    flags.push('--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl);
    flags.push('--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer);
    flags.push('--initial-cluster', `far=${peer}`);
    etcd = spawn('etcd', flags, { stdio: 'ignore' });
    await until('etcd serves', () => etcdctl([endpoint], 'get', 'any').code === 0 || undefined);
  });

  test.afterEach(async () => {
    etcd.kill('SIGKILL');
    await new Promise((resolve) => etcd.once('exit', resolve));
    removeDir(dir);
  });

  define((page) => openRemote(page, endpoint));
});

/** A protobuf message of [field, value] pairs. */
function message(...fields: [number, string | number | Buffer][]): Buffer {
  return Buffer.concat(
    fields.map(([field, value]) => {
      if (typeof value === 'number') return Buffer.from([...varint(field * 8), ...varint(value)]);
      const bytes = Buffer.from(value);
      return Buffer.concat([
        Buffer.from([...varint(field * 8 + 2), ...varint(bytes.length)]),
        bytes,
      ]);
    }),
  );
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 0x80, ...varint(Math.floor(value / 128))];
}

function configMap(): Buffer {
  const meta = message(
    [1, 'coredns'],
    [3, 'kube-system'],
    [5, 'b2c9a1de-6d3f-4c55-9b1f-0c2a3f4d5e6f'],
    [8, message([1, 1_700_000_000])],
    [11, message([1, 'k8s-app'], [2, 'kube-dns'])],
  );
  return message([1, meta], [2, message([1, 'Corefile'], [2, '.:53 {\n    errors\n}\n'])]);
}
