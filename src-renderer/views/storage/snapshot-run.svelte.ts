import type { SnapshotItem } from '../../../src-main/contract/storage-tools.ts';
import type { ContractClient, StreamHandle } from '../../api/client.ts';

export type SnapshotState = 'idle' | 'running' | 'done' | 'damaged' | 'failed';

/** One snapshot on its way into a file of the user's. Nothing is saved before its digest held. */
export class SnapshotRun {
  state = $state<SnapshotState>('idle');
  node = $state('');
  fileName = $state('');
  totalBytes = $state(0);
  gotBytes = $state(0);
  sha256 = $state('');
  error = $state.raw<unknown>(null);
  readonly #client: ContractClient;
  readonly #clusterId: string;
  readonly #save: (name: string, blob: Blob) => void;
  #parts: Blob[] = [];
  #stream: StreamHandle | null = null;

  constructor(
    client: ContractClient,
    clusterId: string,
    save: (name: string, blob: Blob) => void = saveBlob,
  ) {
    this.#client = client;
    this.#clusterId = clusterId;
    this.#save = save;
  }

  start(clusterName: string, nowMs: number): void {
    if (this.state === 'running') return;
    this.state = 'running';
    this.error = null;
    this.node = '';
    this.#parts = [];
    this.totalBytes = 0;
    this.gotBytes = 0;
    this.fileName = snapshotName(clusterName, nowMs);
    this.#stream = this.#client.open(
      'storage.snapshot',
      { clusterId: this.#clusterId },
      {
        onItems: (items) => this.#take(items),
        onEnd: (error) => {
          this.#stream = null;
          if (this.state !== 'running') return;
          this.#fail('failed', error ?? new Error('the snapshot ended early'));
        },
      },
    );
  }

  cancel(): void {
    if (this.state !== 'running') return;
    this.#stream?.close();
    this.#stream = null;
    this.#parts = [];
    this.state = 'idle';
  }

  dispose(): void {
    this.cancel();
  }

  #take(items: readonly SnapshotItem[]): void {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for (const item of items) {
      if (item.kind === 'opened') {
        this.node = item.node;
        this.totalBytes = item.totalBytes;
      } else if (item.kind === 'chunk') {
        chunks.push(new Uint8Array(item.bytes));
        this.gotBytes += item.bytes.length;
      } else {
        this.#keep(chunks.splice(0));
        this.#finish(item.sha256, item.isVerified);
      }
    }
    this.#keep(chunks);
  }

  /** In a Blob at once: the browser may keep those outside of the page's memory. */
  #keep(chunks: Uint8Array<ArrayBuffer>[]): void {
    if (chunks.length > 0) this.#parts.push(new Blob(chunks));
  }

  #finish(sha256: string, isVerified: boolean): void {
    this.sha256 = sha256;
    if (!isVerified) {
      this.#fail('damaged', null);
      return;
    }
    this.#save(this.fileName, new Blob(this.#parts, { type: 'application/octet-stream' }));
    this.#parts = [];
    this.state = 'done';
  }

  #fail(state: 'failed' | 'damaged', error: unknown): void {
    this.#parts = [];
    this.error = error;
    this.state = state;
  }
}

/** Letters, digits, dots and dashes only. */
export function snapshotName(clusterName: string, nowMs: number): string {
  const name = clusterName.replace(/[^A-Za-z0-9.-]+/g, '-').replace(/^-+|-+$/g, '');
  const time = new Date(nowMs).toISOString().slice(0, 19).replaceAll(':', '-');
  return `${name === '' ? 'cluster' : name}-${time}.db`;
}

function saveBlob(name: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser takes the file over in its own time.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
