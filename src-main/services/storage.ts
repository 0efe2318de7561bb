import { idToHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Disposable } from '../base/disposable.ts';
import type { CallOutput, CallParsed } from '../contract/calls.ts';
import type { RevisionAt } from '../contract/storage-tools.ts';
import type { NodeView, StorageView } from '../contract/views.ts';
import { AlarmRequest_AlarmAction, AlarmType } from '../proto/etcd/rpc.ts';
import type { EtcdConnection } from '../remote/connection.ts';
import { CompactionProbe } from './compaction-probe.ts';
import { failure } from './errors.ts';
import { hexToId } from './ids.ts';
import { readStorageMetrics, type StorageMetrics } from './metrics.ts';
import type { ClusterMonitor } from './overview.ts';
import { Poller } from './poller.ts';
import { RevisionTimeline } from './revision-timeline.ts';
import type { StreamSink, StreamSource } from './stream.ts';

const POLL_MS = 2_000;
/** Counting all keys is linear in etcd: it may take this share of the time at most. */
const COUNT_SHARE = 0.02;
const METRICS_EVERY_MS = 10_000;
/** Twenty minutes of samples. */
const MAX_SAMPLES = 600;
const COUNT_TIMEOUT_MS = 3_000;

type Sample = StorageView['samples'][number];
type Alarm = StorageView['alarms'][number];

/** Sizes, quota, alarms and compaction of one cluster. */
export class StorageInspector implements Disposable {
  readonly #etcd: EtcdConnection;
  readonly #monitor: ClusterMonitor;
  readonly #clock: Clock;
  /** What a local cluster was given; null for remote ones. */
  readonly #definedQuotaBytes: () => number | null;
  readonly #poller: Poller;
  readonly #probe: CompactionProbe;
  #monitorInterest: Disposable | null = null;
  #samples: Sample[] = [];
  readonly #timeline = new RevisionTimeline();
  readonly #observing: Disposable;
  #metrics: StorageMetrics | null = null;
  #metricsAtMs = Number.NEGATIVE_INFINITY;
  #keyCount: number | null = null;
  #nextCountAtMs = Number.NEGATIVE_INFINITY;
  #alarms: Alarm[] = [];

  constructor(options: {
    etcd: EtcdConnection;
    monitor: ClusterMonitor;
    clock: Clock;
    definedQuotaBytes: () => number | null;
  }) {
    this.#etcd = options.etcd;
    this.#monitor = options.monitor;
    this.#clock = options.clock;
    this.#definedQuotaBytes = options.definedQuotaBytes;
    this.#probe = new CompactionProbe(options.etcd);
    const { clock } = options;
    this.#poller = new Poller({ read: () => this.#round(), intervalMs: POLL_MS, clock });
    this.#observing = options.monitor.observe(({ atMs, revision }) => {
      if (revision !== null) this.#timeline.record(atMs, revision);
    });
  }

  get compactRevision(): number | null {
    return this.#probe.compactRevision;
  }

  /** Oldest first. It grows while any view of the app looks at the cluster. */
  timeline(): RevisionAt[] {
    return this.#timeline.entries();
  }

  follow(sink: StreamSink<StorageView>): StreamSource {
    // Sizes come from the monitor's Status calls.
    this.#monitorInterest ??= this.#monitor.follow(() => {});
    const subscription = this.#poller.follow((error) => {
      if (error === null) sink.push(this.#view());
      else sink.end(error);
    });
    return {
      dispose: () => {
        subscription.dispose();
        if (this.#poller.isWanted) return;
        this.#monitorInterest?.dispose();
        this.#monitorInterest = null;
      },
    };
  }

  async compact(input: CallParsed<'storage.compact'>): Promise<CallOutput<'storage.compact'>> {
    const { revision, physical } = input;
    await this.#etcd.compact({ revision, physical });
    this.#probe.learned(revision);
    const text = `compacted up to revision ${revision}`;
    this.#monitor.record({ node: null, kind: 'compacted', text, detail: { revision } });
    this.#poller.runSoon();
    return { revision };
  }

  async defragment(
    input: CallParsed<'storage.defragment'>,
  ): Promise<CallOutput<'storage.defragment'>> {
    const { node } = input;
    const url = this.#monitor.urlOf(node);
    if (url === null) throw failure('NotFound', `there is no member ${node}`);
    const beforeBytes = (await this.#etcd.status(url)).dbSize;
    await this.#etcd.defragment(url);
    const afterBytes = (await this.#etcd.status(url)).dbSize;
    const detail = { beforeBytes, afterBytes };
    this.#monitor.record({ node, kind: 'defragmented', text: `${node} was defragmented`, detail });
    this.#monitor.poke();
    this.#poller.runSoon();
    return detail;
  }

  async disarm(input: CallParsed<'storage.disarm'>): Promise<CallOutput<'storage.disarm'>> {
    await this.#etcd.alarm({
      action: AlarmRequest_AlarmAction.DEACTIVATE,
      memberID: hexToId(input.memberId),
      alarm: AlarmType[input.type],
    });
    const { type } = input;
    const text = `alarm ${type} disarmed`;
    this.#monitor.record({ node: null, kind: 'alarm', text, detail: { type } });
    this.#monitor.poke();
    this.#poller.runSoon();
    return {};
  }

  dispose(): void {
    this.#observing.dispose();
    this.#poller.dispose();
    this.#monitorInterest?.dispose();
  }

  async #round(): Promise<void> {
    const { nodes, revision } = this.#monitor.overview();
    const isUp = nodes.some((node) => node.dbSizeBytes !== null);
    if (!isUp) return;
    // Each part may fail on its own, e.g. without a leader: the sizes are shown all the same.
    await Promise.all([
      this.#readAlarms(nodes).catch(() => {}),
      this.#readCount().catch(() => {}),
      this.#readMetrics(nodes),
    ]);
    const fromMetrics = this.#metrics?.compactRevision ?? null;
    if (fromMetrics !== null) this.#probe.learned(fromMetrics);
    else await this.#probe.look(revision ?? 0).catch(() => {});
    this.#sample();
  }

  /**
   * etcd takes even the question for alarms through its log, so it is asked only where Status tells
   * of one.
   */
  async #readAlarms(nodes: readonly NodeView[]): Promise<void> {
    if (this.#monitor.summary().alarms.length === 0) {
      this.#alarms = [];
      return;
    }
    const { alarms } = await this.#etcd.alarms();
    this.#alarms = alarms.flatMap(({ memberID, alarm }): Alarm[] => {
      if (alarm === AlarmType.NONE) return [];
      const memberId = idToHex(memberID);
      const name = nodes.find((node) => node.memberId === memberId)?.name ?? memberId;
      return [{ memberId, name, type: alarm === AlarmType.NOSPACE ? 'NOSPACE' : 'CORRUPT' }];
    });
  }

  async #readCount(): Promise<void> {
    const startedAtMs = this.#clock.nowMs();
    if (startedAtMs < this.#nextCountAtMs) return;
    const all = Buffer.from([0]);
    const { count } = await this.#etcd.range(
      { key: all, rangeEnd: all, countOnly: true, serializable: true },
      { timeoutMs: COUNT_TIMEOUT_MS },
    );
    this.#keyCount = count;
    const tookMs = this.#clock.nowMs() - startedAtMs;
    this.#nextCountAtMs = startedAtMs + tookMs / COUNT_SHARE;
  }

  async #readMetrics(nodes: readonly NodeView[]): Promise<void> {
    const now = this.#clock.nowMs();
    if (now - this.#metricsAtMs < METRICS_EVERY_MS) return;
    this.#metricsAtMs = now;
    const node = nodes.find((n) => n.dbSizeBytes !== null);
    this.#metrics = node === undefined ? null : await readStorageMetrics(node.clientUrl);
  }

  #sample(): void {
    const { nodes, revision, atMs } = this.#monitor.overview();
    const up = nodes.filter((node) => node.dbSizeBytes !== null);
    if (up.length === 0) return;
    // The quota binds the fullest member.
    const dbSizeBytes = Math.max(...up.map((node) => node.dbSizeBytes ?? 0));
    const inUseBytes = Math.max(...up.map((node) => node.dbSizeInUseBytes ?? 0));
    this.#samples.push({ atMs, dbSizeBytes, inUseBytes, revision: revision ?? 0 });
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
  }

  #view(): StorageView {
    const { nodes, revision, atMs } = this.#monitor.overview();
    return {
      members: nodes.flatMap((node) => {
        const { name, memberId, role, dbSizeBytes, dbSizeInUseBytes } = node;
        if (memberId === null || dbSizeBytes === null) return [];
        return [{ name, memberId, role, dbSizeBytes, dbSizeInUseBytes: dbSizeInUseBytes ?? 0 }];
      }),
      quotaBytes: this.#definedQuotaBytes() ?? this.#metrics?.quotaBytes ?? null,
      revision: revision ?? 0,
      compactRevision: this.#probe.compactRevision,
      keyCount: this.#keyCount,
      alarms: this.#alarms,
      samples: [...this.#samples],
      unreachable: nodes
        .filter((node) => node.dbSizeBytes === null)
        .map(({ name, error }) => ({ name, error: error ?? 'not running' })),
      atMs,
    };
  }
}
