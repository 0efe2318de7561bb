/**
 * What Electron's window may do. Pure: hosts/electron only wires these to Electron's events, and
 * the checks of Electron's security checklist (hosts/electron/security-checklist.test.ts) run
 * without it.
 */
import { securityHeaders } from './policy.ts';
import type { StaticFiles } from './static-files.ts';

export const APP_SCHEME = 'app';
export const APP_ORIGIN = `${APP_SCHEME}://raftdeck`;
export const APP_URL = `${APP_ORIGIN}/index.html`;

/**
 * The IPC channels; the preload script cannot import, so it names them again (checked by a test).
 */
export const CHANNELS = {
  /** Page -> main: a page was loaded and wants a session of its own. */
  hello: 'raftdeck:hello',
  /** Both ways: one ClientFrame or ServerFrame. */
  frame: 'raftdeck:frame',
  /** Main -> page: the session is over. */
  closed: 'raftdeck:closed',
} as const;

export const WEB_PREFERENCES = {
  contextIsolation: true,
  sandbox: true,
  nodeIntegration: false,
  nodeIntegrationInWorker: false,
  nodeIntegrationInSubFrames: false,
  webSecurity: true,
  allowRunningInsecureContent: false,
  experimentalFeatures: false,
  webviewTag: false,
  navigateOnDragDrop: false,
  spellcheck: false,
} as const;

/**
 * Sites that the notes cite and the help menu names. Nothing else is handed to the user's browser.
 */
export const EXTERNAL_HOSTS: ReadonlySet<string> = new Set([
  'etcd.io',
  'github.com',
  'raft.github.io',
  'web.stanford.edu',
  'zookeeper.apache.org',
  'curator.apache.org',
  'developer.hashicorp.com',
  'www.consul.io',
  'www.hashicorp.com',
  'kubernetes.io',
  'grpc.io',
  'pkg.go.dev',
  'jepsen.io',
  'www.usenix.org',
  'marcoserafini.github.io',
]);

/** Whether a URL is of our own pages. */
export function isAppUrl(url: string): boolean {
  const parsed = parse(url);
  return parsed !== null && parsed.protocol === `${APP_SCHEME}:` && parsed.host === 'raftdeck';
}

/** The window shows one page for all its life: it may be loaded anew, but not left. */
export function isAllowedNavigation(url: string): boolean {
  const parsed = parse(url);
  if (parsed === null || !isAppUrl(url)) return false;
  return parsed.pathname === '/' || parsed.pathname === '/index.html';
}

/** Whether a request of the page may go out at all. DevTools load their own files. */
export function isAllowedRequest(url: string): boolean {
  return isAppUrl(url) || url.startsWith('devtools://devtools/') || url.startsWith('data:image/');
}

/**
 * What our own page may ask the system for: notifications, for the rules of its watches. `origin`
 * is that of whoever asks.
 */
export function isAllowedPermission(permission: string, origin: string): boolean {
  return permission === 'notifications' && isAppUrl(origin);
}

/** Only what our own page made itself may become a file: its exports. Nothing is fetched for it. */
export function isAllowedDownload(url: string): boolean {
  return url.startsWith(`blob:${APP_ORIGIN}/`);
}

export interface IpcSender {
  /** URL of the frame that sent; null once the frame is gone. */
  frameUrl: string | null;
  /** Whether it is the window's top frame. */
  isMainFrame: boolean;
}

/** Only our own page, in the top frame, may say anything to the main process. */
export function isTrustedSender(sender: IpcSender): boolean {
  return sender.isMainFrame && sender.frameUrl !== null && isAppUrl(sender.frameUrl);
}

/** The address to open in the user's browser, or null where it must not be. */
export function externalUrl(url: string): string | null {
  const parsed = parse(url);
  if (parsed === null || parsed.protocol !== 'https:') return null;
  if (parsed.username !== '' || parsed.password !== '' || parsed.port !== '') return null;
  return EXTERNAL_HOSTS.has(parsed.hostname) ? parsed.href : null;
}

/** Answers app://raftdeck/…, the window's only source. */
export async function appResponse(
  request: { method: string; url: string },
  files: StaticFiles,
): Promise<Response> {
  const headers = { ...securityHeaders("'none'"), 'Cache-Control': 'no-store' };
  const parsed = parse(request.url);
  if (parsed === null || !isAppUrl(request.url) || request.method !== 'GET') {
    return new Response('Forbidden', { status: 403, headers });
  }
  const file = await files.read(parsed.pathname);
  if (file === null) return new Response('Not found', { status: 404, headers });
  return new Response(new Uint8Array(file.content), {
    headers: { ...headers, 'Content-Type': file.type },
  });
}

function parse(url: string): URL | null {
  try {
    return new URL(url);
  } catch {
    return null;
  }
}
