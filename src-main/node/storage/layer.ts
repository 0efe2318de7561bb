import { Overlay, type OverlayValue } from './overlay.ts';
import { TABLES, type TableName } from './types.ts';

/**
 * Who waits for a layer to reach the disk. Called in the turn in which that is known, before the
 * next flush starts.
 */
export interface LayerWaiter {
  durable(): void;
  failed(error: Error): void;
  /** An import replaced everything before the layer was flushed. */
  replaced(): void;
}

/** Everything written between two flush boundaries: one overlay per table. */
export class Layer {
  readonly tables: Record<TableName, Overlay> = Object.fromEntries(
    TABLES.map((name) => [name, new Overlay()]),
  ) as Record<TableName, Overlay>;
  readonly waiters: LayerWaiter[] = [];

  set(table: TableName, key: Buffer, value: OverlayValue): void {
    this.tables[table].set(key, value);
  }

  get rows(): number {
    return this.#sum((overlay) => overlay.size);
  }

  get dataBytes(): number {
    return this.#sum((overlay) => overlay.dataBytes);
  }

  get memoryBytes(): number {
    return this.#sum((overlay) => overlay.memoryBytes);
  }

  #sum(of: (overlay: Overlay) => number): number {
    let total = 0;
    for (const table of TABLES) total += of(this.tables[table]);
    return total;
  }
}
