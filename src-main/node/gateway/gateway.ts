import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Backend } from '../api/backend.ts';
import { ETCD_API_VERSION } from '../api/version.ts';
import { checkHealth } from './health.ts';
import { type HealthCounters, type NodeMetrics, renderMetrics } from './metrics.ts';

export interface GatewayDeps {
  logger: Logger;
  /** What /metrics shows beyond the Backend; asked at each scrape. */
  metrics?: () => NodeMetrics;
}

type Handler = (url: URL, response: ServerResponse) => void | Promise<void>;

/** What the client port answers over HTTP/1.1: GET /health, /version and /metrics, as etcd does. */
export function createGateway(backend: Backend, deps: GatewayDeps): RequestListener {
  const gateway = new Gateway(backend, deps);
  return (request, response) => {
    gateway.handle(request, response).catch((error: unknown) => {
      deps.logger.error('an HTTP request failed', {
        url: request.url,
        error: errorMessage(error),
      });
      if (!response.headersSent) answer(response, 500, 'Internal Server Error\n');
      else response.destroy();
    });
  };
}

class Gateway {
  readonly #backend: Backend;
  readonly #deps: GatewayDeps;
  readonly #counters: HealthCounters = { success: 0, failures: 0 };
  readonly #startTimeMs = Date.now() - process.uptime() * 1000;
  readonly #routes: ReadonlyMap<string, Handler>;

  constructor(backend: Backend, deps: GatewayDeps) {
    this.#backend = backend;
    this.#deps = deps;
    this.#routes = new Map<string, Handler>([
      ['/health', (url, response) => this.#health(url, response)],
      ['/version', (_, response) => this.#version(response)],
      ['/metrics', (_, response) => this.#metrics(response)],
    ]);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A body is of no interest, but unread it would hold up the connection.
    request.resume();
    const url = urlOf(request);
    if (url === undefined) return answer(response, 400, 'Bad Request\n');
    const route = this.#routes.get(url.pathname);
    if (route === undefined) return answer(response, 404, '404 page not found\n');
    if (request.method !== 'GET') {
      response.setHeader('allow', 'GET');
      return answer(response, 405, 'Method Not Allowed\n');
    }
    await route(url, response);
  }

  async #health(url: URL, response: ServerResponse): Promise<void> {
    const { healthy, reason } = await checkHealth(this.#backend, {
      excludedAlarms: new Set(url.searchParams.getAll('exclude')),
      serializable: url.searchParams.get('serializable') === 'true',
    });
    this.#counters[healthy ? 'success' : 'failures']++;
    if (healthy) return answerJson(response, 200, { health: 'true' });
    this.#deps.logger.warn('the health check failed', { reason });
    return answerJson(response, 503, { health: 'false', reason });
  }

  #version(response: ServerResponse): void {
    const cluster = this.#backend.state.clusterVersion() ?? ETCD_API_VERSION;
    answerJson(response, 200, { etcdserver: ETCD_API_VERSION, etcdcluster: cluster });
  }

  #metrics(response: ServerResponse): void {
    const node = this.#deps.metrics?.() ?? {};
    const text = renderMetrics(this.#backend, this.#counters, node, this.#startTimeMs);
    answer(response, 200, text, 'text/plain; version=0.0.4; charset=utf-8');
  }
}

function urlOf({ url = '/' }: IncomingMessage): URL | undefined {
  const base = 'http://node.invalid';
  return URL.canParse(url, base) ? new URL(url, base) : undefined;
}

function answerJson(response: ServerResponse, status: number, body: unknown): void {
  answer(response, status, JSON.stringify(body), 'application/json');
}

function answer(
  response: ServerResponse,
  status: number,
  body: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}
