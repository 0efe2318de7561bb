import { readFile, realpath } from 'node:fs/promises';
import { extname, isAbsolute, join, relative, sep } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};

export interface StaticFile {
  content: Buffer;
  type: string;
}

/**
 * The built renderer. Serves what lies in `root`, of the types that a page needs, and nothing else.
 */
export class StaticFiles {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** `pathname` as it stands in a URL, still escaped. null: not found, whatever the reason. */
  async read(pathname: string): Promise<StaticFile | null> {
    const path = toRelativePath(pathname);
    if (path === null) return null;
    const type = TYPES[extname(path).toLowerCase()];
    if (type === undefined) return null;
    try {
      const root = await realpath(this.#root);
      const file = await realpath(join(root, path));
      // Also a link must not lead out of the folder.
      if (!isInside(root, file)) return null;
      return { content: await readFile(file), type };
    } catch {
      return null;
    }
  }
}

/**
 * null for what no file of ours can be called: traversal in any disguise, hidden files, drive
 * letters.
 */
export function toRelativePath(pathname: string): string | null {
  let decoded: string;
  try {
    decoded = decodeURIComponent(pathname);
  } catch {
    return null;
  }
  if (!decoded.startsWith('/') || /[\0\\:]/.test(decoded)) return null;
  const parts = decoded.slice(1).split('/');
  if (parts.length === 1 && parts[0] === '') return 'index.html';
  return parts.some((part) => part === '' || part.startsWith('.')) ? null : parts.join('/');
}

function isInside(root: string, file: string): boolean {
  const path = relative(root, file);
  return path !== '' && path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}
