import type { History, KeyValue, WatchedEvent, WatchItem, WatchStream } from '../history.ts';
import { describeKv } from './describe.ts';
import { type Effect, inRange } from './effects.ts';
import { agrees, type Truth } from './truth.ts';
import { Findings, type Violation } from './violation.ts';

/**
 * What etcd promises a watcher (its API guarantees, and its robustness tests' nine properties): ordered, unique,
 * atomic, reliable, resumable, bookmarkable, prev_kv, is-create, filter. Each rule here has one of these names.
 */
export function checkWatches(history: History, truth: Truth): Violation[] {
  const findings = new Findings('watch');
  const revisions = [...truth.revisions.keys()].sort((a, b) => a - b);
  for (const watch of history.watches) {
    new Follower(history, truth, revisions, watch, findings).run();
  }
  return findings.list;
}

type EventsItem = Extract<WatchItem, { kind: 'events' }>;

/** Reads one watch's items in order and keeps what it must have seen by now. */
class Follower {
  readonly #history: History;
  readonly #truth: Truth;
  /** All known revisions, ascending. */
  readonly #revisions: readonly number[];
  readonly #watch: WatchStream;
  readonly #findings: Findings;
  /** Everything up to here has come or did not concern it; undefined while its start is not known. */
  #covered: number | undefined;
  /** Highest revision of an event since the last start. */
  #last = 0;
  #lastProgress = 0;
  /** The stream began anew and no events came since. */
  #resumed = false;
  #compacted = false;
  /** Events by revision and key that came since their revision was last asked for. */
  readonly #seen = new Map<number, Set<string>>();
  /** Events of a response that goes on in the next. */
  #fragments: WatchedEvent[] = [];

  constructor(
    history: History,
    truth: Truth,
    revisions: readonly number[],
    watch: WatchStream,
    findings: Findings,
  ) {
    this.#history = history;
    this.#truth = truth;
    this.#revisions = revisions;
    this.#watch = watch;
    this.#findings = findings;
    const { startRevision } = watch.spec;
    if (startRevision > 0) this.#covered = startRevision - 1;
    else this.#covered = watch.createdRevision;
  }

  run(): void {
    for (const item of this.#watch.items) {
      if (item.kind === 'events') this.#events(item);
      else if (item.kind === 'progress') this.#progress(item.revision, item.atMs);
      else if (item.kind === 'compacted') this.#compaction(item.compactRevision, item.atMs);
      else this.#restart(item.startRevision, item.kind === 'resumed');
    }
    const { final } = this.#history;
    if (!this.#watch.settled || final === undefined || this.#compacted) return;
    this.#expectAll(final.revision, 'reliable', 'never came');
  }

  #add(rule: string, message: string): void {
    const { watchId, spec, member } = this.#watch;
    const range = `${JSON.stringify(spec.key)}..${JSON.stringify(spec.end)}`;
    this.#findings.add(rule, `watch ${watchId} of ${range} (first at ${member}): ${message}`);
  }

  #restart(startRevision: number, isResumed: boolean): void {
    this.#fragments = [];
    this.#compacted = false;
    this.#resumed = isResumed;
    this.#last = 0;
    this.#lastProgress = 0;
    this.#covered = startRevision > 0 ? startRevision - 1 : undefined;
    // What is asked for again may come again.
    for (const revision of [...this.#seen.keys()]) {
      if (revision >= startRevision) this.#seen.delete(revision);
    }
  }

  #compaction(compactRevision: number, atMs: number): void {
    this.#compacted = true;
    if (this.#covered === undefined || this.#covered < compactRevision) return;
    this.#add(
      'reliable',
      `ended at ${atMs} ms for a compaction to ${compactRevision}, although all to ${this.#covered} had come`,
    );
  }

  #progress(revision: number, atMs: number): void {
    const before = this.#findings.list.length;
    if (this.#fragments.length > 0) {
      this.#add('bookmarkable', `progress ${revision} at ${atMs} ms amid a fragmented response`);
    }
    if (this.#covered !== undefined && revision < this.#covered) {
      this.#add(
        'bookmarkable',
        `progress ${revision} goes back behind ${this.#covered} (${atMs} ms)`,
      );
    }
    this.#expectAll(revision, 'bookmarkable', `had not come with the progress ${revision}`);
    if (this.#findings.list.length === before && this.#covered === undefined) {
      this.#covered = revision;
    }
    this.#lastProgress = Math.max(this.#lastProgress, revision);
  }

  #events(item: EventsItem): void {
    this.#fragments.push(...item.events);
    if (item.fragment) return;
    const events = this.#fragments;
    this.#fragments = [];
    const groups = new Map<number, WatchedEvent[]>();
    for (const event of events) {
      const revision = event.kv.modRevision;
      if (revision < this.#last && !groups.has(revision)) {
        this.#add('ordered', `revision ${revision} came after ${this.#last} (${item.atMs} ms)`);
      }
      this.#last = Math.max(this.#last, revision);
      const group = groups.get(revision);
      if (group === undefined) groups.set(revision, [event]);
      else group.push(event);
    }
    if (item.revision < this.#last) {
      this.#add('ordered', `header ${item.revision} below its event's ${this.#last}`);
    }
    for (const [revision, group] of groups) this.#revision(revision, group, item.atMs);
  }

  #revision(revision: number, events: readonly WatchedEvent[], atMs: number): void {
    const again = this.#seen.get(revision);
    const keys = again ?? new Set<string>();
    this.#seen.set(revision, keys);
    const isNew = again === undefined;
    for (const { kv } of events) {
      if (keys.has(kv.key)) {
        this.#add(
          this.#resumed ? 'resumable' : 'unique',
          `${JSON.stringify(kv.key)} at ${revision} came twice (${atMs} ms)`,
        );
      } else if (!isNew) {
        const message = `revision ${revision} came in parts: ${JSON.stringify(kv.key)} at ${atMs} ms`;
        this.#add('atomic', message);
      }
      keys.add(kv.key);
    }
    if (isNew) this.#place(revision, atMs);
    for (const event of events) this.#content(event, atMs);
    this.#expectWhole(revision, keys);
  }

  /** Whether the revision is due: nothing before it is missing, and it is not from before the start. */
  #place(revision: number, atMs: number): void {
    if (revision <= this.#lastProgress) {
      const message = `revision ${revision} came after the progress ${this.#lastProgress} (${atMs} ms)`;
      this.#add('bookmarkable', message);
    } else if (this.#covered !== undefined && revision <= this.#covered) {
      const rule = this.#resumed ? 'resumable' : 'ordered';
      const message = `revision ${revision} came, from before what was asked for, ${this.#covered + 1} (${atMs} ms)`;
      if (this.#last === revision || this.#resumed) this.#add(rule, message);
    }
    const rule = this.#resumed ? 'resumable' : 'reliable';
    this.#expectAll(revision - 1, rule, `had not come when ${revision} did`);
    this.#covered = Math.max(this.#covered ?? 0, revision);
    this.#resumed = false;
  }

  /** Reports every revision after what is covered, up to this one, that concerns it and did not come. */
  #expectAll(until: number, rule: string, complaint: string): void {
    if (this.#covered === undefined || until <= this.#covered) return;
    const isAll = this.#truth.seesAll(this.#watch);
    let at = firstAbove(this.#revisions, this.#covered);
    let expected = this.#covered + 1;
    for (; at < this.#revisions.length && (this.#revisions[at] as number) <= until; at++) {
      const revision = this.#revisions[at] as number;
      // Every revision has an event, so that who sees all sees every number.
      if (isAll && revision > expected) this.#missing(expected, rule, complaint);
      expected = revision + 1;
      if (this.#seen.has(revision) || this.#concerned(revision).length === 0) continue;
      this.#missing(revision, rule, complaint);
    }
    this.#covered = until;
  }

  #missing(revision: number, rule: string, complaint: string): void {
    const { writer } = this.#truth.revisions.get(revision) ?? {};
    const by = writer === undefined ? '' : ` (written by #${writer.id})`;
    this.#add(rule, `revision ${revision}${by} ${complaint}`);
  }

  #concerned(revision: number): Effect[] {
    const { key, end, noPut, noDelete } = this.#watch.spec;
    return (this.#truth.revisions.get(revision)?.effects ?? []).filter(
      (effect) => inRange(effect.key, key, end) && !(effect.type === 'put' ? noPut : noDelete),
    );
  }

  #expectWhole(revision: number, keys: ReadonlySet<string>): void {
    for (const { key, type } of this.#concerned(revision)) {
      if (keys.has(key)) continue;
      this.#add(
        'atomic',
        `revision ${revision} came without its ${type} of ${JSON.stringify(key)}`,
      );
    }
  }

  #content({ type, kv, prevKv }: WatchedEvent, atMs: number): void {
    const { spec } = this.#watch;
    const what = `${type} of ${JSON.stringify(kv.key)} at ${kv.modRevision} (${atMs} ms)`;
    if (!inRange(kv.key, spec.key, spec.end)) this.#add('filter', `${what} is not in its range`);
    if (type === 'put' ? spec.noPut : spec.noDelete) {
      this.#add('filter', `${what} was not asked for`);
    }
    const entry = this.#truth.revisions.get(kv.modRevision);
    const effect = entry?.effects.find(({ key }) => key === kv.key);
    if (effect === undefined || effect.type !== type || effect.value !== kv.value) {
      const is =
        effect === undefined ? 'nothing' : `${effect.type} ${JSON.stringify(effect.value)}`;
      this.#add('reliable', `${what}, ${describeKv(kv)}, is not what happened: ${is}`);
    }
    this.#creation(type, kv, what);
    this.#previous(kv, prevKv, what, atMs);
  }

  #creation(type: 'put' | 'delete', kv: KeyValue, what: string): void {
    if (type === 'delete') {
      if (kv.version === 0 && kv.createRevision === 0) return;
      this.#add('is-create', `${what} shows ${describeKv(kv)}`);
      return;
    }
    const isCreate = kv.createRevision === kv.modRevision;
    const state = this.#truth.stateAt(kv.key, kv.modRevision);
    if (isCreate === (kv.version === 1) && (state === 'absent' || agrees(state, kv))) return;
    this.#add('is-create', `${what} shows ${describeKv(kv)}, which is not how it came to be`);
  }

  #previous(kv: KeyValue, prevKv: KeyValue | undefined, what: string, atMs: number): void {
    if (!this.#watch.spec.prevKv) {
      if (prevKv !== undefined)
        this.#add('prev_kv', `${what} shows a value that was not asked for`);
      return;
    }
    const before = this.#truth.stateAt(kv.key, kv.modRevision - 1);
    if (agrees(before, prevKv)) return;
    if (prevKv === undefined && this.#mayBeCompacted(kv.modRevision - 1, atMs)) return;
    this.#add('prev_kv', `${what} shows ${describeKv(prevKv)} before it`);
  }

  #mayBeCompacted(revision: number, atMs: number): boolean {
    const { compactions, operations } = this.#history;
    if (compactions !== undefined) {
      return compactions.some((one) => one.atMs <= atMs && one.revision > revision);
    }
    return operations.some(
      (operation) =>
        operation.kind === 'compact' &&
        operation.invokedMs <= atMs &&
        operation.input.revision > revision,
    );
  }
}

function firstAbove(ascending: readonly number[], limit: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] as number) > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}
