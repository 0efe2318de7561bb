import type { ConsistencyView, ReadView } from '../../../src-main/contract/scenarios.ts';
import type { ContractClient, StreamHandle } from '../../api/client.ts';
import { utf8Decode, utf8Encode } from '../../lib/bytes.ts';

/** What is read and written if nothing else is named. */
export const READS_KEY = 'raftdeck-reads';
const REOPEN_MS = 2_000;

export type Read = ReadView | { error: string } | null;

export function isAnswer(read: Read): read is ReadView {
  return read !== null && !('error' in read);
}

/** One key, as every node reads it. */
export class ReadsModel {
  view = $state.raw<ConsistencyView | null>(null);
  key = $state(READS_KEY);
  isWriting = $state(false);
  writeError = $state.raw<unknown>(null);

  readonly #client: ContractClient;
  readonly #clusterId: string;
  #stream: StreamHandle | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: ContractClient, clusterId: string) {
    this.#client = client;
    this.#clusterId = clusterId;
  }

  follow(): void {
    this.dispose();
    if (this.key === '') return;
    const input = { clusterId: this.#clusterId, key: utf8Encode(this.key) };
    this.#stream = this.#client.open('consistency.follow', input, {
      onItems: (items) => {
        this.view = items[items.length - 1] ?? this.view;
      },
      onEnd: () => {
        this.#stream = null;
        this.#timer = setTimeout(() => this.follow(), REOPEN_MS);
      },
    });
  }

  choose(key: string): void {
    this.key = key;
    this.view = null;
    this.follow();
  }

  /** One more than the largest number that any node shows. */
  async writeNext(): Promise<void> {
    if (this.isWriting || this.key === '') return;
    this.isWriting = true;
    this.writeError = null;
    const next = 1 + Math.max(0, ...numbersIn(this.view));
    const value = utf8Encode(String(next));
    try {
      const key = utf8Encode(this.key);
      await this.#client.call('keys.put', { clusterId: this.#clusterId, key, value });
    } catch (error) {
      this.writeError = error;
    } finally {
      this.isWriting = false;
    }
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = null;
  }
}

function numbersIn(view: ConsistencyView | null): number[] {
  const reads = view?.members.flatMap((one) => [one.serializable, one.linearizable]) ?? [];
  return reads
    .map((read) => (isAnswer(read) && read.value !== null ? utf8Decode(read.value) : null))
    .map(Number)
    .filter(Number.isSafeInteger);
}

/** The newest version of the key that any node has shown. */
export function newestOf({ members }: ConsistencyView): number {
  const reads = members.flatMap((one) => [one.serializable, one.linearizable]);
  return Math.max(0, ...reads.map((read) => (isAnswer(read) ? read.modRevision : 0)));
}

/** Nodes whose own version is older than the newest, and nodes that cannot tell what is agreed. */
export function judge(view: ConsistencyView): { stale: string[]; apart: string[] } {
  const newest = newestOf(view);
  const stale = view.members.filter(
    ({ serializable }) => isAnswer(serializable) && serializable.modRevision < newest,
  );
  const apart = view.members.filter(
    ({ linearizable, serializable }) =>
      isAnswer(serializable) && linearizable !== null && !isAnswer(linearizable),
  );
  return { stale: stale.map(({ name }) => name), apart: apart.map(({ name }) => name) };
}
