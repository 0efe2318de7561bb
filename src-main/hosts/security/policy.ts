/**
 * What the app's page may do, in whichever host it runs. Pure, so that it is tested without either.
 */

/**
 * The page loads its own files and nothing else: no inline script or style, no eval, no frame, no
 * form, no plug-in. `connect` is 'self' for the browser host's WebSocket and 'none' in Electron,
 * where frames travel over IPC. Svelte builds its nodes from templates through one Trusted Types
 * policy; no other may be made.
 */
export function contentSecurityPolicy(connect: "'self'" | "'none'"): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src ${connect}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types svelte-trusted-html',
  ].join('; ');
}

/** Sent with every answer. */
export function securityHeaders(connect: "'self'" | "'none'"): Record<string, string> {
  return {
    'Content-Security-Policy': contentSecurityPolicy(connect),
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), usb=(), serial=(), hid=()',
  };
}
