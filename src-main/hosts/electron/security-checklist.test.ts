/**
 * Electron's security checklist (https://www.electronjs.org/docs/latest/tutorial/security), item by
 * item. What is policy is tested as such in ../security; what only the wiring can do is checked in
 * the source, since Electron's binary is not everywhere.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../services/package-root.ts';
import { contentSecurityPolicy } from '../security/policy.ts';
import {
  APP_URL,
  CHANNELS,
  externalUrl,
  isAllowedNavigation,
  isAllowedPermission,
  isAllowedRequest,
  isTrustedSender,
  WEB_PREFERENCES,
} from '../security/window-policy.ts';

const root = packageRoot();
const folder = join(root, 'src-main', 'hosts', 'electron');
const sources = new Map(
  readdirSync(folder)
    .filter((name) => /\.c?ts$/.test(name) && !name.endsWith('.test.ts'))
    .map((name) => [name, withoutComments(readFileSync(join(folder, name), 'utf8'))]),
);
const all = [...sources.values()].join('\n');
const source = (name: string) => sources.get(name) ?? '';
const fuses = readFileSync(join(root, 'electron-builder.yml'), 'utf8');

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

/** Every file of the renderer that could hold markup or script. */
function rendererSources(): string[] {
  const start = join(root, 'src-renderer');
  if (!existsSync(start)) return [];
  return readdirSync(start, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(html|svelte|ts)$/.test(name) && !name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(start, name), 'utf8'));
}

describe('Electron’s security checklist', () => {
  it('1. Only load secure content', () => {
    expect(APP_URL).toMatch(/^app:\/\//);
    expect(isAllowedRequest('http://etcd.io/')).toBe(false);
    expect(isAllowedRequest('https://etcd.io/')).toBe(false);
    expect(source('session.ts')).toContain('webRequest.onBeforeRequest');
    expect(source('window.ts')).toMatch(/loadURL\(APP_URL\)/);
    expect(all.match(/\.(loadURL|loadFile)\(/g)).toHaveLength(1);
  });

  it('2. Do not enable Node.js integration for remote content', () => {
    expect(WEB_PREFERENCES).toMatchObject({
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
    });
    expect(all).not.toMatch(/nodeIntegration/);
  });

  it('3. Enable Context Isolation', () => {
    expect(WEB_PREFERENCES.contextIsolation).toBe(true);
    expect(all).not.toMatch(/contextIsolation/);
  });

  it('4. Enable process sandboxing', () => {
    expect(WEB_PREFERENCES.sandbox).toBe(true);
    expect(source('main.ts')).toContain('app.enableSandbox()');
    expect(all).not.toMatch(/no-sandbox/);
  });

  it('5. Handle session permission requests from remote content', () => {
    const session = source('session.ts');
    expect(session).toMatch(/setPermissionRequestHandler\([^;]*decide\(isAllowedPermission\(/);
    expect(session).toMatch(/setPermissionCheckHandler\([^;]*=>\s*isAllowedPermission\(/);
    expect(isAllowedPermission('notifications', APP_URL)).toBe(true);
    expect(isAllowedPermission('notifications', 'https://etcd.io/')).toBe(false);
    expect(isAllowedPermission('media', APP_URL)).toBe(false);
    expect(session).toMatch(/setDevicePermissionHandler\(\(\) => false\)/);
  });

  it('6. Do not disable webSecurity', () => {
    expect(WEB_PREFERENCES.webSecurity).toBe(true);
    expect(all).not.toMatch(/webSecurity|disable-web-security/);
  });

  it('7. Define a Content Security Policy', () => {
    const policy = contentSecurityPolicy("'none'");
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe-(inline|eval)|\*|https?:/);
    expect(source('session.ts')).toMatch(/protocol\.handle\(APP_SCHEME, [^;]*appResponse/);
  });

  it('8. Do not enable allowRunningInsecureContent', () => {
    expect(WEB_PREFERENCES.allowRunningInsecureContent).toBe(false);
    expect(all).not.toMatch(/allowRunningInsecureContent/);
  });

  it('9. Do not enable experimental features', () => {
    expect(WEB_PREFERENCES.experimentalFeatures).toBe(false);
    expect(all).not.toMatch(/experimentalFeatures|enable-experimental/);
  });

  it('10. Do not use enableBlinkFeatures', () => {
    expect(WEB_PREFERENCES).not.toHaveProperty('enableBlinkFeatures');
    expect(all).not.toMatch(/[bB]linkFeatures|enable-blink-features|appendSwitch/);
  });

  it('11. Do not use allowpopups for WebViews', () => {
    for (const text of rendererSources()) expect(text).not.toMatch(/<webview|allowpopups/);
  });

  it('12. Verify WebView options before creation', () => {
    expect(WEB_PREFERENCES.webviewTag).toBe(false);
    expect(source('window.ts')).toMatch(
      /on\('will-attach-webview', \(event\) => event\.preventDefault\(\)\)/,
    );
  });

  it('13. Disable or limit navigation', () => {
    const window = source('window.ts');
    for (const event of ['will-navigate', 'will-frame-navigate', 'will-redirect']) {
      expect(window).toContain(`on('${event}', (event) => guard(event, event.url))`);
    }
    expect(isAllowedNavigation('https://etcd.io/')).toBe(false);
  });

  it('14. Disable or limit creation of new windows', () => {
    const [, handler = ''] = source('window.ts').split('setWindowOpenHandler');
    expect(handler).toMatch(/return \{ action: 'deny' \}/);
    expect(all).not.toMatch(/action: 'allow'/);
    expect(all.match(/new BrowserWindow\(/g)).toHaveLength(1);
  });

  it('15. Do not use shell.openExternal with untrusted content', () => {
    expect(all.match(/openExternal\(allowed\)/g)).toHaveLength(1);
    expect(all.match(/shell\.\w+/g)).toEqual(['shell.openExternal']);
    expect(externalUrl('file:///etc/passwd')).toBeNull();
    expect(externalUrl('https://evil.example/')).toBeNull();
  });

  it('16. Use a current version of Electron', () => {
    const { version } = createRequire(import.meta.url)('electron/package.json') as {
      version: string;
    };
    expect(Number(version.split('.')[0])).toBeGreaterThanOrEqual(45);
  });

  it('17. Validate the sender of all IPC messages', () => {
    expect(isTrustedSender({ frameUrl: 'https://evil.example/', isMainFrame: true })).toBe(false);
    const handlers = [...source('main.ts').matchAll(/ipcMain\.(\w+)\(CHANNELS\.(\w+)/g)];
    expect(handlers.map((match) => `${match[1]} ${match[2]}`)).toEqual(['on hello', 'on frame']);
    expect(all.match(/ipcMain\./g)).toHaveLength(handlers.length);
    const [, bridge = ''] = source('bridge.ts').split('export class Bridge');
    expect(bridge.match(/if \(!this\.#isTrusted\(sender\)\) return;/g)).toHaveLength(2);
  });

  it('18. Avoid usage of the file:// protocol and prefer usage of custom protocols', () => {
    expect(all).not.toMatch(/file:\/\/|loadFile/);
    expect(source('session.ts')).toContain('registerSchemesAsPrivileged');
    expect(fuses).toMatch(/grantFileProtocolExtraPrivileges: false/);
  });

  it('19. Check which fuses you can change', () => {
    expect(fuses).toMatch(/runAsNode: false/);
    expect(fuses).toMatch(/enableNodeOptionsEnvironmentVariable: false/);
    expect(fuses).toMatch(/enableNodeCliInspectArguments: false/);
    expect(fuses).toMatch(/enableEmbeddedAsarIntegrityValidation: true/);
    expect(fuses).toMatch(/onlyLoadAppFromAsar: true/);
    expect(all).not.toMatch(/child_process'\)?\.fork|ELECTRON_RUN_AS_NODE: '/);
  });

  it('20. Do not expose Electron APIs to untrusted web content', () => {
    const preload = source('preload.cts');
    expect(preload.match(/exposeInMainWorld\([^)]*\)/g)).toEqual([
      "exposeInMainWorld('raftdeck', transport)",
    ]);
    // The transport hands on frames, never an event, a channel's name or ipcRenderer itself.
    expect(preload.match(/^ {2}\w+(?=\()/gm)?.map((name) => name.trim())).toEqual([
      'send',
      'onFrame',
      'onState',
    ]);
    expect(preload.match(/ipcRenderer\.\w+\(\w+/g)).toEqual([
      'ipcRenderer.send(FRAME',
      'ipcRenderer.on(FRAME',
      'ipcRenderer.on(CLOSED',
      'ipcRenderer.send(HELLO',
    ]);
    for (const channel of Object.values(CHANNELS)) expect(preload).toContain(`'${channel}'`);
    expect(preload.match(/require\([^)]*\)/g)).toEqual(["require('electron')"]);
  });
});
