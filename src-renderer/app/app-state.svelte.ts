import { untrack } from 'svelte';
import type { AppInfo, ClusterSummary } from '../../src-main/contract/views.ts';
import { type ContractClient, errorText } from '../api/client.ts';
import type { AppContext, Kept, PaletteAction } from '../lib/context.ts';
import { I18n, resolveLanguage } from '../lib/i18n/i18n.svelte.ts';
import { Shortcuts } from '../lib/keyboard.ts';
import { Toasts } from '../lib/toasts.svelte.ts';
import type { ViewParams } from '../lib/view.ts';
import { ClustersStore } from '../stores/clusters.svelte.ts';
import { ConnectionStore } from '../stores/connection.svelte.ts';
import { OverviewStore } from '../stores/overview.svelte.ts';
import { isViewName, Router, type RouterHost, type ViewName } from '../stores/router.svelte.ts';
import { SettingsStore } from '../stores/settings.svelte.ts';

const ROW_PX = { compact: 26, comfortable: 32 } as const;

/** What the app needs of its window. */
export interface AppHost extends RouterHost {
  localStorage: Pick<Storage, 'getItem' | 'setItem'>;
  navigator: { platform: string; languages: readonly string[] };
}

export type OpenDialog = 'palette' | 'shortcuts' | 'settings' | 'rename' | 'remove' | null;

/** Everything that the shell shows, composed; also the context of every component below it. */
export class AppState implements AppContext {
  readonly client: ContractClient;
  readonly i18n = new I18n();
  readonly toasts = new Toasts();
  readonly shortcuts: Shortcuts;
  readonly router: Router;
  readonly settings: SettingsStore;
  readonly clusters: ClustersStore;
  readonly overview: OverviewStore;
  readonly connection: ConnectionStore;
  /** Tries to connect at once; null where the transport has no waits. */
  readonly retryNow: (() => void) | null;

  info = $state.raw<AppInfo | null>(null);
  dialog = $state<OpenDialog>(null);
  /** Text that the palette opens with. */
  paletteQuery = $state('');
  /** Clusters with a start or stop under way. */
  busyClusters = $state.raw<ReadonlySet<string>>(new Set());
  nowMs = $state(Date.now());
  /** By cluster and view. */
  #kept = $state.raw<ReadonlyMap<string, { clusterId: string; kept: Kept; end: () => void }>>(
    new Map(),
  );
  #offers = $state.raw<readonly (() => readonly PaletteAction[])[]>([]);

  readonly language = $derived.by(() =>
    resolveLanguage(this.settings.current.language, this.#systemLanguages),
  );
  readonly cluster: ClusterSummary | null = $derived.by(() => {
    const { route } = this.router;
    return route.kind === 'cluster' ? this.clusters.byId(route.clusterId) : null;
  });
  readonly #systemLanguages: readonly string[];

  constructor(client: ContractClient, host: AppHost, retryNow: (() => void) | null) {
    this.client = client;
    this.retryNow = retryNow;
    this.#systemLanguages = host.navigator.languages;
    this.shortcuts = new Shortcuts(/mac/i.test(host.navigator.platform));
    this.router = new Router(host, host.localStorage);
    this.settings = new SettingsStore(client, host.localStorage);
    this.clusters = new ClustersStore(client);
    this.overview = new OverviewStore(client);
    this.connection = new ConnectionStore(client, () => Date.now());
  }

  get rowPx(): number {
    return ROW_PX[this.settings.current.density];
  }

  get offered(): readonly PaletteAction[] {
    return this.#offers.flatMap((actions) => actions());
  }

  offer(actions: () => readonly PaletteAction[]): () => void {
    // Called from effects: whoever offers must not come to depend on what others offer.
    untrack(() => {
      this.#offers = [...this.#offers, actions];
    });
    return () => {
      untrack(() => {
        this.#offers = this.#offers.filter((other) => other !== actions);
      });
    };
  }

  navigate(view: string, params: ViewParams = {}): void {
    if (!isViewName(view)) return;
    const { route } = this.router;
    if (route.kind === 'cluster') this.router.toView(route.clusterId, view, params);
    else if (view === 'notes') this.router.go({ kind: 'notes' });
  }

  goTo(clusterId: string, view: string, params: ViewParams = {}): void {
    if (isViewName(view)) this.router.toView(clusterId, view, params);
  }

  keep<T extends Kept>(clusterId: string, view: string, make: () => T): T {
    const key = `${view} ${clusterId}`;
    const there = untrack(() => this.#kept.get(key));
    // Under one key there is only what its own view has put there.
    if (there !== undefined) return there.kept as T;
    let kept: T | undefined;
    // What is derived inside must not end with the view that asked for it.
    const endRoot = $effect.root(() => {
      kept = untrack(make);
    });
    const made = kept as unknown as T;
    const end = () => {
      made.dispose();
      endRoot();
    };
    untrack(() => {
      this.#kept = new Map(this.#kept).set(key, { clusterId, kept: made, end });
    });
    return made;
  }

  /** Undefined until the view has been shown. */
  keptOf(clusterId: string, view: string): Kept | undefined {
    return this.#kept.get(`${view} ${clusterId}`)?.kept;
  }

  /** Ends what was kept for clusters that are gone. */
  releaseGone(): void {
    if (!this.clusters.loaded) return;
    for (const [key, { clusterId, end }] of this.#kept) {
      if (this.clusters.byId(clusterId) !== null) continue;
      end();
      const rest = new Map(this.#kept);
      rest.delete(key);
      this.#kept = rest;
    }
  }

  /**
   * From the home route: to where one was last time, to the first cluster, or to the form for a new
   * one.
   */
  settle(): void {
    if (this.router.route.kind !== 'home' || !this.clusters.loaded) return;
    const { last } = this.router;
    const known = last === null ? null : this.clusters.byId(last.clusterId);
    const first = this.clusters.locals[0] ?? this.clusters.remotes[0];
    if (last !== null && known !== null) this.router.toView(last.clusterId, last.view);
    else if (first === undefined) this.router.go({ kind: 'add' });
    else this.router.toView(first.id, 'overview');
  }

  /** To a cluster, in the view that is open now. */
  switchTo(clusterId: string): void {
    const { route } = this.router;
    const view: ViewName = route.kind === 'cluster' ? route.view : 'overview';
    const isLocal = this.clusters.byId(clusterId)?.kind === 'local';
    this.router.toView(clusterId, view === 'logs' && !isLocal ? 'overview' : view);
  }

  /** Starts or stops a local cluster; a failure is told in a toast. */
  async power(clusterId: string, on: boolean): Promise<void> {
    if (this.busyClusters.has(clusterId)) return;
    this.busyClusters = new Set([...this.busyClusters, clusterId]);
    try {
      await this.client.call(on ? 'clusters.start' : 'clusters.stop', { clusterId });
    } catch (error) {
      this.toasts.failed(errorText(error));
    } finally {
      this.busyClusters = new Set([...this.busyClusters].filter((id) => id !== clusterId));
    }
  }

  async loadInfo(): Promise<void> {
    try {
      this.info = await this.client.call('app.info', {});
    } catch {
      // Shown in the settings only; it is asked for again after the next connection.
      this.info = null;
    }
  }

  dispose(): void {
    for (const { end } of this.#kept.values()) end();
    this.#kept = new Map();
    this.router.dispose();
    this.clusters.dispose();
    this.overview.dispose();
    this.connection.dispose();
  }
}
