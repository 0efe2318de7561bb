import { DisposableStore } from '../base/disposable.ts';
import type { LogLine } from '../contract/views.ts';
import type { ClusterSupervisor } from '../supervisor/cluster-supervisor.ts';
import type { StreamSink, StreamSource, Weight } from './stream.ts';

/** Lines in one item at most. */
const MAX_LINES = 500;
/** Of a line, besides its message and fields. */
const LINE_OVERHEAD_BYTES = 64;

/**
 * The newest `tail` lines of each node in the order of time, then what is written. While paused
 * nothing is kept here: the nodes' ring buffers hold the newest lines, and what they no longer hold
 * is missing afterwards.
 */
export class LogFollower implements StreamSource {
  readonly #supervisor: ClusterSupervisor;
  readonly #sink: StreamSink<LogLine[]>;
  readonly #lastSeq = new Map<string, number>();
  readonly #subscriptions = new DisposableStore();
  #paused = false;

  constructor(supervisor: ClusterSupervisor, tail: number, sink: StreamSink<LogLine[]>) {
    this.#supervisor = supervisor;
    this.#sink = sink;
    const names = supervisor.definition.nodes.map((node) => node.name);
    const history: LogLine[] = [];
    for (const name of names) {
      const log = supervisor.logs(name);
      this.#lastSeq.set(name, log.query({ limit: 1 })[0]?.seq ?? 0);
      if (tail > 0) history.push(...log.query({ limit: tail }));
      this.#subscriptions.add(log.onLines((lines) => this.#onLines(name, lines)));
    }
    history.sort((a, b) => (a.atMs ?? 0) - (b.atMs ?? 0));
    // The first item comes even where there is nothing yet: the view is then known to be open.
    this.#push(history, true);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    for (const [name, afterSeq] of this.#lastSeq) {
      const missed = this.#supervisor.logs(name).query({ afterSeq });
      if (missed.length > 0) this.#onLines(name, missed);
    }
  }

  dispose(): void {
    this.#subscriptions.dispose();
  }

  #onLines(name: string, lines: readonly LogLine[]): void {
    if (this.#paused) return;
    const last = this.#lastSeq.get(name) ?? 0;
    const fresh = lines.filter((line) => line.seq > last);
    const newest = fresh.at(-1);
    if (newest === undefined) return;
    this.#lastSeq.set(name, newest.seq);
    this.#push(fresh);
  }

  #push(lines: readonly LogLine[], evenIfEmpty = false): void {
    if (lines.length === 0 && evenIfEmpty) this.#sink.push([]);
    for (let i = 0; i < lines.length; i += MAX_LINES)
      this.#sink.push(lines.slice(i, i + MAX_LINES));
  }
}

export function weighLogLines(lines: readonly LogLine[]): Weight {
  let bytes = 0;
  for (const line of lines) {
    bytes += LINE_OVERHEAD_BYTES + line.message.length;
    for (const value of Object.values(line.fields)) {
      bytes += typeof value === 'string' ? value.length : LINE_OVERHEAD_BYTES;
    }
  }
  return { count: Math.max(1, lines.length), bytes };
}
