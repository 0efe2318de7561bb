/** For tests: streams that the test feeds by hand, and frames that it draws. */
import type { WatchEventView, WatchItem } from '../../../../src-main/contract/views.ts';
import { EventBatch, packEvents } from '../../../../src-main/contract/watch-batch.ts';
import type { EventLog } from '../event-log.ts';
import { WatchBoard } from '../watch-board.svelte.ts';
import { type WatchHandlers, WatchSession } from '../watch-session.svelte.ts';
import type { WatchTarget } from '../watch-target.ts';

export const utf8 = (text: string) => new TextEncoder().encode(text);

export function target(prefix: string, change: Partial<WatchTarget> = {}): WatchTarget {
  const none = new Uint8Array();
  const base = { scope: 'prefix', rangeEnd: none, startRevision: 0, only: null } as const;
  return { ...base, key: utf8(prefix), ...change };
}

export function event(
  modRevision: number,
  change: Partial<WatchEventView> & { name?: string } = {},
): WatchEventView {
  const { name = `k${modRevision}`, ...rest } = change;
  return {
    type: 'put',
    key: utf8(name),
    value: rest.type === 'delete' ? null : utf8('v'),
    prevValue: null,
    modRevision,
    createRevision: modRevision,
    version: 1,
    lease: null,
    receivedAtMs: 0,
    ...rest,
  };
}

export function batchOf(...list: WatchEventView[]): EventBatch {
  return new EventBatch(packEvents(list));
}

export function batch(...list: WatchEventView[]): WatchItem {
  return { kind: 'batch', count: list.length, bytes: packEvents(list) };
}

/** One event per revision. */
export function events(from: number, to: number): WatchItem {
  const list: WatchEventView[] = [];
  for (let revision = from; revision <= to; revision++) list.push(event(revision));
  return batch(...list);
}

export const opened: WatchItem = { kind: 'opened', revision: 10, node: 'n1' };

export class Bench {
  opened: { target: WatchTarget; handlers: WatchHandlers; closed: boolean }[] = [];
  frames: (() => void)[] = [];
  nowMs = 1_000;

  readonly open = (target: WatchTarget, handlers: WatchHandlers) => {
    const stream = { target, handlers, closed: false };
    this.opened.push(stream);
    return () => {
      stream.closed = true;
    };
  };
  readonly schedule = (run: () => void) => {
    this.frames.push(run);
    return () => {
      this.frames = this.frames.filter((frame) => frame !== run);
    };
  };

  session(startRevision = 0, log?: EventLog): WatchSession {
    return new WatchSession({
      id: 1,
      target: target('/', { startRevision }),
      open: this.open,
      schedule: this.schedule,
      nowMs: () => this.nowMs,
      ...(log === undefined ? {} : { log }),
    });
  }

  board(): WatchBoard {
    return new WatchBoard({
      open: this.open,
      schedule: this.schedule,
      nowMs: () => this.nowMs,
    });
  }

  send(...items: WatchItem[]): void {
    this.opened.at(-1)?.handlers.onItems(items);
  }

  draw(): void {
    const frames = this.frames;
    this.frames = [];
    for (const frame of frames) frame();
  }
}
