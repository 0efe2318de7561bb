import type { ConfState, Entry, HardState, Message, Ready, SnapshotMeta } from '../types.ts';

/**
 * What a state machine holds: enough to check that everyone applies the same. Replaced, never
 * changed.
 */
export interface AppState {
  readonly applied: number;
  readonly confState: ConfState;
  /** Folded over every entry applied, so that equal states mean equal histories. */
  readonly digest: number;
}

/** The log as a write-ahead log has it. */
export interface LogImage {
  hardState: HardState;
  base: { index: number; term: number };
  entries: Entry[];
}

/** One write on its way to the disk. Writes become durable in order. */
export interface WriteOp {
  hardState: HardState | undefined;
  entries: Entry[];
  mark: { index: number; term: number } | undefined;
  mustSync: boolean;
  after: Message[];
  afterSent: boolean;
  /** The state that comes with a snapshot's mark. */
  install: { meta: SnapshotMeta; state: AppState } | undefined;
}

export function opOf(ready: Ready, install: WriteOp['install']): WriteOp {
  return {
    hardState: ready.hardState,
    entries: ready.entries,
    mark: ready.snapshot && { index: ready.snapshot.index, term: ready.snapshot.term },
    mustSync: ready.mustSync,
    after: ready.messagesAfterPersist,
    afterSent: false,
    install,
  };
}

export function imageTerm(image: LogImage, index: number): number | undefined {
  if (index === image.base.index) return image.base.term;
  return image.entries[index - image.base.index - 1]?.term;
}

export function imageLast(image: LogImage): number {
  return image.base.index + image.entries.length;
}

export function applyOp(
  image: LogImage,
  op: Pick<WriteOp, 'hardState' | 'entries' | 'mark'>,
): void {
  // The hard state comes first: a commit index must never be newer on disk than entries that rest
  // on it.
  if (op.hardState !== undefined) image.hardState = op.hardState;
  const first = op.entries[0];
  if (first !== undefined) {
    if (first.index <= image.base.index || first.index > imageLast(image) + 1) {
      throw new Error(
        `write at ${first.index} does not join a log that ends at ${imageLast(image)}`,
      );
    }
    image.entries.length = first.index - image.base.index - 1;
    image.entries.push(...op.entries);
  }
  if (op.mark !== undefined && op.mark.index > image.base.index) {
    const keep = imageTerm(image, op.mark.index) === op.mark.term;
    image.entries = keep ? image.entries.slice(op.mark.index - image.base.index) : [];
    image.base = op.mark;
  }
}

/** A write that a crash cut short: some of its entries made it, and nothing after them. */
export function tornOp(
  op: WriteOp,
  entries: number,
): Pick<WriteOp, 'hardState' | 'entries' | 'mark'> {
  return { hardState: op.hardState, entries: op.entries.slice(0, entries), mark: undefined };
}
