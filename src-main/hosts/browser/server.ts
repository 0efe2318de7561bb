import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { CodedError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { ContractErrorCode } from '../../contract/errors.ts';
import { MAX_FRAME_BYTES } from '../../contract/wire.ts';
import type { App } from '../../services/app.ts';
import { systemErrorCode } from '../../supervisor/atomic-file.ts';
import { securityHeaders } from '../security/policy.ts';
import type { StaticFiles } from '../security/static-files.ts';
import { Access, isLoopbackHost, isSameOrigin } from './access.ts';
import { serveClient } from './client.ts';
import { ENTER_PAGE, NOT_BUILT_PAGE, UNAUTHORIZED_PAGE } from './pages.ts';

const HOST = '127.0.0.1';
export const SOCKET_PATH = '/ws';
/** Tabs and the like: each has a session of its own. */
const MAX_CLIENTS = 32;
const HTML = 'text/html; charset=utf-8';
const TEXT = 'text/plain; charset=utf-8';

interface Answer {
  status: number;
  type: string;
  body: Buffer | string;
  headers?: Record<string, string>;
}

/** The loopback server: static files and one WebSocket per tab, for whoever has the token. */
export class BrowserServer {
  readonly #app: App;
  readonly #files: StaticFiles;
  readonly #logger: Logger;
  readonly #access = new Access();
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    clientTracking: true,
  });

  constructor(app: App, files: StaticFiles, logger: Logger) {
    this.#app = app;
    this.#files = files;
    this.#logger = logger;
    this.#http = createServer((request, response) => void this.#onRequest(request, response));
    this.#http.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket, head));
    this.#http.on('clientError', (_, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    });
  }

  /** Resolves with the address to open. Throws PortInUse. */
  listen(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#http.once('error', (error) => reject(listenError(error, port)));
      this.#http.listen(port, HOST, () => {
        const address = this.#http.address();
        const bound = typeof address === 'object' && address !== null ? address.port : port;
        resolve(`http://${HOST}:${bound}/?token=${this.#access.token}`);
      });
    });
  }

  close(): Promise<void> {
    for (const client of this.#sockets.clients) client.terminate();
    this.#http.closeAllConnections();
    return new Promise((resolve) => this.#http.close(() => resolve()));
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answer(request);
    } catch (error) {
      this.#logger.error('request failed', { error: String(error) });
      answer = text(500, 'Internal error');
    }
    response.writeHead(answer.status, {
      ...securityHeaders("'self'"),
      'Cache-Control': 'no-store',
      'Content-Type': answer.type,
      'Content-Length': Buffer.byteLength(answer.body),
      ...answer.headers,
    });
    response.end(request.method === 'HEAD' ? undefined : answer.body);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const { host, origin, cookie } = request.headers;
    if (!isLoopbackHost(host)) return text(403, 'Wrong host: open 127.0.0.1 or localhost');
    if (origin !== undefined && !isSameOrigin(origin, host)) return text(403, 'Wrong origin');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return { ...text(405, 'Only GET and HEAD'), headers: { Allow: 'GET, HEAD' } };
    }
    // Not through URL: it would resolve "/../" before anyone could refuse it.
    const [pathname = '/', query = ''] = (request.url ?? '/').split(/\?(.*)/s);
    if (pathname === '/' && this.#access.isToken(new URLSearchParams(query).get('token'))) {
      const headers = { 'Set-Cookie': this.#access.cookieHeader() };
      return { status: 200, type: HTML, body: ENTER_PAGE, headers };
    }
    if (!this.#access.hasCookie(cookie))
      return { status: 401, type: HTML, body: UNAUTHORIZED_PAGE };
    const file = await this.#files.read(pathname);
    if (file !== null) return { status: 200, type: file.type, body: file.content };
    return pathname === '/'
      ? { status: 503, type: HTML, body: NOT_BUILT_PAGE }
      : text(404, 'Not found');
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A client that goes away meanwhile is no error of ours.
    socket.on('error', () => socket.destroy());
    const refused = this.#refusal(request);
    if (refused !== null) {
      const reason = refused === 401 ? 'Unauthorized' : refused === 404 ? 'Not Found' : 'Forbidden';
      socket.end(`HTTP/1.1 ${refused} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (client) =>
      serveClient(client, this.#app, this.#logger),
    );
  }

  #refusal(request: IncomingMessage): 401 | 403 | 404 | null {
    const { host, origin, cookie } = request.headers;
    if (!isLoopbackHost(host) || !isSameOrigin(origin, host)) return 403;
    if (!this.#access.hasCookie(cookie)) return 401;
    if (request.url !== SOCKET_PATH) return 404;
    return this.#sockets.clients.size >= MAX_CLIENTS ? 403 : null;
  }
}

function text(status: number, body: string): Answer {
  return { status, type: TEXT, body: `${body}\n` };
}

function listenError(error: Error, port: number): Error {
  if (systemErrorCode(error) !== 'EADDRINUSE') return error;
  return new CodedError<ContractErrorCode>('PortInUse', `port ${port} is already in use`, {
    cause: error,
    hint: 'choose another with --port, or leave it out for a free one',
  });
}
