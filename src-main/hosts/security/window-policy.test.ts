import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../services/package-root.ts';
import { contentSecurityPolicy } from './policy.ts';
import { StaticFiles } from './static-files.ts';
import {
  APP_URL,
  appResponse,
  externalUrl,
  isAllowedDownload,
  isAllowedNavigation,
  isAllowedRequest,
  isAppUrl,
  isTrustedSender,
} from './window-policy.ts';

describe('downloads', () => {
  it('are what the page made, and nothing from elsewhere', () => {
    expect(isAllowedDownload('blob:app://raftdeck/0b9c')).toBe(true);
    for (const url of [
      'https://etcd.io/x.zip',
      'app://raftdeck/index.html',
      'blob:app://raftdeck.evil/1',
      'blob:https://etcd.io/1',
      'data:text/plain,x',
    ]) {
      expect(isAllowedDownload(url)).toBe(false);
    }
  });
});

describe('URLs', () => {
  it.each([APP_URL, 'app://raftdeck/', 'app://raftdeck/index.html#/keys', 'app://raftdeck/?x'])(
    'stays on %s',
    (url) => {
      expect(isAllowedNavigation(url)).toBe(true);
    },
  );

  it.each([
    'https://etcd.io/',
    'http://127.0.0.1:2379/',
    'file:///etc/passwd',
    'app://evil/index.html',
    'app://raftdeck.evil/index.html',
    'app://raftdeck:1/index.html',
    'app://user@raftdeck.evil/',
    'app://raftdeck/assets/app.js',
    'javascript:alert(1)',
    'data:text/html,x',
    'blob:app://raftdeck/1',
    'about:blank',
    '',
  ])('does not go to %j', (url) => {
    expect(isAllowedNavigation(url)).toBe(false);
  });

  it('loads nothing from elsewhere', () => {
    expect(isAllowedRequest('app://raftdeck/assets/app.js')).toBe(true);
    expect(isAllowedRequest('devtools://devtools/bundled/x.js')).toBe(true);
    expect(isAllowedRequest('https://etcd.io/x.js')).toBe(false);
    expect(isAllowedRequest('devtools://evil/x.js')).toBe(false);
    expect(isAllowedRequest('file:///etc/passwd')).toBe(false);
    expect(isAppUrl('https://raftdeck/x')).toBe(false);
  });

  it.each([
    'http://etcd.io/',
    'https://evil.example/',
    'https://etcd.io.evil.example/',
    'https://evil@etcd.io/',
    'https://etcd.io:8443/',
    'file:///etc/passwd',
    'smb://etcd.io/share',
    'https:etcd',
    'x',
  ])('does not open %s outside', (url) => {
    expect(externalUrl(url)).toBeNull();
  });

  it('opens known sites outside', () => {
    expect(externalUrl('https://etcd.io/docs/v3.5/')).toBe('https://etcd.io/docs/v3.5/');
  });

  it('can open every source that the notes cite', async () => {
    const folder = join(packageRoot(), 'resources', 'notes');
    const files = (await readdir(folder)).filter((name) => name.endsWith('.json'));
    const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
    const urls = texts.flatMap((text) =>
      [...text.matchAll(/"url"\s*:\s*"([^"]+)"/g)].map((match) => match[1] as string),
    );
    expect(urls.filter((url) => externalUrl(url) === null)).toEqual([]);
  });
});

describe('isTrustedSender', () => {
  it('trusts our page in the top frame alone', () => {
    expect(isTrustedSender({ frameUrl: APP_URL, isMainFrame: true })).toBe(true);
    expect(isTrustedSender({ frameUrl: APP_URL, isMainFrame: false })).toBe(false);
    expect(isTrustedSender({ frameUrl: null, isMainFrame: true })).toBe(false);
    expect(isTrustedSender({ frameUrl: 'https://etcd.io/', isMainFrame: true })).toBe(false);
    expect(isTrustedSender({ frameUrl: 'file:///index.html', isMainFrame: true })).toBe(false);
  });
});

describe('appResponse', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'raftdeck-policy-'));
    await writeFile(join(dir, 'index.html'), '<title>Raftdeck</title>');
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  const ask = (url: string, method = 'GET') => appResponse({ url, method }, new StaticFiles(dir));

  it('serves the page with the policy', async () => {
    const response = await ask(APP_URL);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toBe(contentSecurityPolicy("'none'"));
    expect(await response.text()).toContain('Raftdeck');
  });

  it.each([
    ['app://raftdeck/nothing.js', 'GET', 404],
    ['app://raftdeck/%2e%2e%2fpackage.json', 'GET', 404],
    ['app://other/index.html', 'GET', 403],
    ['file:///etc/passwd', 'GET', 403],
    [APP_URL, 'POST', 403],
  ])('%s by %s: %i', async (url, method, status) => {
    const response = await ask(url, method);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  });
});
