import type { SpaceGroup, SpaceReport } from '../../../src-main/contract/storage-tools.ts';
import type { ContractClient, StreamHandle } from '../../api/client.ts';
import { displayBytes } from '../../lib/bytes.ts';

export type SpaceSort = 'bytes' | 'keys' | 'writes';
export type SpaceState = 'idle' | 'running' | 'done' | 'cancelled' | 'failed';

/** Where the space of one cluster goes: read when somebody asks, since every value is read for it. */
export class SpaceModel {
  state = $state<SpaceState>('idle');
  report = $state.raw<SpaceReport | null>(null);
  prefix = $state.raw<Uint8Array>(new Uint8Array());
  /** Prefixes entered, outermost first. */
  folders = $state.raw<readonly Uint8Array[]>([]);
  sortBy = $state<SpaceSort>('bytes');
  error = $state.raw<unknown>(null);
  readonly #client: ContractClient;
  readonly #clusterId: string;
  #stream: StreamHandle | null = null;

  constructor(client: ContractClient, clusterId: string) {
    this.#client = client;
    this.#clusterId = clusterId;
  }

  readonly rows: SpaceGroup[] = $derived.by(() => {
    const { sortBy } = this;
    return [...(this.report?.groups ?? [])].sort((a, b) => b[sortBy] - a[sortBy]);
  });

  /** 0 to 1. */
  readonly progress: number = $derived.by(() => {
    const { report } = this;
    return report === null || report.totalKeys === 0 ? 0 : report.keys / report.totalKeys;
  });

  /** The way in, each part with what it adds to the one before. */
  readonly trail: { prefix: Uint8Array; label: string }[] = $derived.by(() =>
    this.folders.map((prefix, i) => ({
      prefix,
      label: displayBytes(prefix.subarray(this.folders[i - 1]?.length ?? 0)),
    })),
  );

  /** Of the whole below the prefix, by what the list is sorted by; 0 to 1. */
  shareOf(group: Pick<SpaceGroup, SpaceSort>): number {
    const whole = this.report?.[this.sortBy] ?? 0;
    return whole === 0 ? 0 : group[this.sortBy] / whole;
  }

  enter(group: SpaceGroup): void {
    this.folders = [...this.folders, group.key];
    this.scan(group.key);
  }

  /** Reads below a prefix; folders deeper than that are left. */
  scan(prefix: Uint8Array): void {
    this.#stream?.close();
    this.folders = this.folders.filter((folder) => folder.length <= prefix.length);
    this.prefix = prefix;
    this.report = null;
    this.error = null;
    this.state = 'running';
    this.#stream = this.#client.open(
      'storage.space',
      { clusterId: this.#clusterId, prefix },
      {
        onItems: (items) => {
          this.report = items.at(-1) ?? this.report;
        },
        onEnd: (error) => {
          this.#stream = null;
          this.error = error;
          this.state = error === null ? 'done' : 'failed';
        },
      },
    );
  }

  cancel(): void {
    if (this.state !== 'running') return;
    this.#stream?.close();
    this.#stream = null;
    this.state = 'cancelled';
  }

  dispose(): void {
    this.#stream?.close();
    this.#stream = null;
  }
}
