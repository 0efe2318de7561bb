import { join } from 'node:path';
import { BrowserWindow, shell } from 'electron';
import {
  APP_URL,
  externalUrl,
  isAllowedNavigation,
  WEB_PREFERENCES,
} from '../security/window-policy.ts';

export function openExternal(url: string): void {
  const allowed = externalUrl(url);
  if (allowed !== null) void shell.openExternal(allowed);
}

export function createWindow(iconPath: string): BrowserWindow {
  const window = new BrowserWindow({
    width: 1280,
    height: 832,
    minWidth: 800,
    minHeight: 560,
    show: false,
    title: 'Raftdeck',
    icon: iconPath,
    webPreferences: { ...WEB_PREFERENCES, preload: join(import.meta.dirname, 'preload.cjs') },
  });
  window.once('ready-to-show', () => window.show());
  const { webContents } = window;
  webContents.setWindowOpenHandler(({ url }) => {
    openExternal(url);
    return { action: 'deny' };
  });
  const guard = (event: { preventDefault(): void }, url: string) => {
    if (!isAllowedNavigation(url)) event.preventDefault();
  };
  webContents.on('will-navigate', (event) => guard(event, event.url));
  webContents.on('will-frame-navigate', (event) => guard(event, event.url));
  webContents.on('will-redirect', (event) => guard(event, event.url));
  webContents.on('will-attach-webview', (event) => event.preventDefault());
  void window.loadURL(APP_URL);
  return window;
}
