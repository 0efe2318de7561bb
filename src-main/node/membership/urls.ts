import { parseUrl } from '../config/values.ts';

/**
 * Peer URLs as a client gave them, sorted and without their trailing slash; undefined if one of
 * them is none: they need a scheme, a host, a port, and no path (etcd's types.NewURLs). Every
 * member reads them with `parseUrl` to reach the one they belong to, so that decides.
 */
export function checkPeerUrls(urls: readonly string[]): string[] | undefined {
  if (urls.length === 0) return undefined;
  const checked: string[] = [];
  for (const url of urls.map((one) => one.trim())) {
    try {
      parseUrl(url);
    } catch {
      return undefined;
    }
    checked.push(url.replace(/\/$/, ''));
  }
  return checked.sort();
}
