import type { ViewParams } from '../lib/view.ts';

export const VIEWS = [
  'overview',
  'keys',
  'watch',
  'leases',
  'storage',
  'raft',
  'logs',
  'notes',
] as const;
export type ViewName = (typeof VIEWS)[number];

export type Route =
  | { kind: 'cluster'; clusterId: string; view: ViewName; params: ViewParams }
  | { kind: 'add' }
  /** Notes are readable without a cluster. */
  | { kind: 'notes' }
  | { kind: 'home' };

const CLUSTER_ROUTE = /^#\/c\/([A-Za-z0-9_-]{1,64})(?:\/([a-z]+))?(?:\?(.*))?$/;
const LAST_KEY = 'raftdeck.last';

export function isViewName(text: string | undefined): text is ViewName {
  return (VIEWS as readonly string[]).includes(text ?? '');
}

export function parseRoute(hash: string): Route {
  if (hash === '#/add') return { kind: 'add' };
  if (hash === '#/notes') return { kind: 'notes' };
  const match = CLUSTER_ROUTE.exec(hash);
  const [, clusterId, view, query] = match ?? [];
  if (clusterId === undefined) return { kind: 'home' };
  const params = Object.fromEntries(new URLSearchParams(query ?? ''));
  return { kind: 'cluster', clusterId, view: isViewName(view) ? view : 'overview', params };
}

export function formatRoute(route: Route): string {
  if (route.kind === 'home') return '#/';
  if (route.kind !== 'cluster') return `#/${route.kind}`;
  const query = new URLSearchParams(route.params).toString();
  return `#/c/${route.clusterId}/${route.view}${query === '' ? '' : `?${query}`}`;
}

/** What the router needs of the window. */
export interface RouterHost {
  location: Pick<Location, 'hash'>;
  addEventListener(type: 'hashchange', listener: () => void): void;
  removeEventListener(type: 'hashchange', listener: () => void): void;
}

/** The route is the address's hash; the last cluster and view are remembered for the next start. */
export class Router {
  route = $state.raw<Route>({ kind: 'home' });
  readonly #host: RouterHost;
  readonly #storage: Pick<Storage, 'getItem' | 'setItem'>;
  readonly #onHashChange = () => this.#read();

  constructor(host: RouterHost, storage: Pick<Storage, 'getItem' | 'setItem'>) {
    this.#host = host;
    this.#storage = storage;
    this.#read();
    host.addEventListener('hashchange', this.#onHashChange);
  }

  /** The cluster and view of the last time, if any. */
  get last(): { clusterId: string; view: ViewName } | null {
    const route = parseRoute(this.#storage.getItem(LAST_KEY) ?? '');
    return route.kind === 'cluster' ? { clusterId: route.clusterId, view: route.view } : null;
  }

  go(route: Route): void {
    this.#host.location.hash = formatRoute(route);
    // The event comes later; a click must be seen at once.
    this.#read();
  }

  toView(clusterId: string, view: ViewName, params: ViewParams = {}): void {
    this.go({ kind: 'cluster', clusterId, view, params });
  }

  dispose(): void {
    this.#host.removeEventListener('hashchange', this.#onHashChange);
  }

  #read(): void {
    const route = parseRoute(this.#host.location.hash);
    if (formatRoute(route) === formatRoute(this.route)) return;
    this.route = route;
    if (route.kind === 'cluster') {
      this.#storage.setItem(LAST_KEY, formatRoute({ ...route, params: {} }));
    }
  }
}
