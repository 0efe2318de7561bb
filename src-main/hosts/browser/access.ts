/**
 * Who may talk to the browser host: whoever has the token, from a page that this host itself
 * served.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const TOKEN_BYTES = 32;
/**
 * Under these names a browser reaches 127.0.0.1; any other name here was rebound by a foreign DNS.
 */
const LOOPBACK_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]']);

export class Access {
  /** In the address that the user is given. */
  readonly token: string = randomBytes(TOKEN_BYTES).toString('base64url');
  /**
   * In the cookie: a page's script cannot read it, and the token does not lie around in the
   * browser's store.
   */
  readonly #cookieValue: string = randomBytes(TOKEN_BYTES).toString('base64url');
  /** Cookies know no ports: two hosts on one machine must not take each other's. */
  readonly #cookieName: string = `raftdeck-${randomBytes(6).toString('hex')}`;

  isToken(value: string | null): boolean {
    return value !== null && isEqual(value, this.token);
  }

  cookieHeader(): string {
    return `${this.#cookieName}=${this.#cookieValue}; HttpOnly; SameSite=Strict; Path=/`;
  }

  hasCookie(header: string | undefined): boolean {
    for (const part of (header ?? '').split(';')) {
      const at = part.indexOf('=');
      if (part.slice(0, at).trim() !== this.#cookieName) continue;
      if (isEqual(part.slice(at + 1).trim(), this.#cookieValue)) return true;
    }
    return false;
  }
}

/**
 * Whether the Host header names this machine: a tunnel may have changed the port, but never the
 * name.
 */
export function isLoopbackHost(host: string | undefined): boolean {
  const match = /^(\[[0-9a-fA-F:]+\]|[^:]+)(?::\d{1,5})?$/.exec(host ?? '');
  return match !== null && LOOPBACK_NAMES.has((match[1] as string).toLowerCase());
}

/**
 * Whether Origin is the very page that Host serves. A WebSocket always has one; other requests may
 * have none.
 */
export function isSameOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined || host === undefined) return false;
  const own = host.toLowerCase();
  return origin.toLowerCase() === `http://${own}` || origin.toLowerCase() === `https://${own}`;
}

/** In constant time, also for different lengths. */
function isEqual(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
