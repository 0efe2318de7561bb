/** An item that a heap holds; it belongs to one heap at most. */
export interface HeapItem {
  dueMs: number;
  /** Its place in the heap; -1 while it is in none. The heap's own. */
  heapIndex: number;
}

/**
 * A binary min-heap by `dueMs` whose items can be moved and removed, so that renewals leave nothing
 * behind.
 */
export class DueHeap<T extends HeapItem> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  /** Puts the item where `dueMs` belongs, whether or not it is in the heap already. */
  schedule(item: T, dueMs: number): void {
    item.dueMs = dueMs;
    if (item.heapIndex < 0) {
      item.heapIndex = this.#items.length;
      this.#items.push(item);
    }
    this.#up(item.heapIndex);
    this.#down(item.heapIndex);
  }

  remove(item: T): void {
    const at = item.heapIndex;
    if (at < 0) return;
    item.heapIndex = -1;
    const last = this.#items.pop() as T;
    if (last === item) return;
    this.#place(last, at);
    this.#up(at);
    this.#down(last.heapIndex);
  }

  #place(item: T, at: number): void {
    this.#items[at] = item;
    item.heapIndex = at;
  }

  #up(from: number): void {
    let at = from;
    const item = this.#items[at] as T;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.#items[parentAt] as T;
      if (parent.dueMs <= item.dueMs) break;
      this.#place(parent, at);
      at = parentAt;
    }
    this.#place(item, at);
  }

  #down(from: number): void {
    let at = from;
    const item = this.#items[at] as T;
    for (;;) {
      let childAt = 2 * at + 1;
      if (childAt >= this.#items.length) break;
      const right = this.#items[childAt + 1];
      if (right !== undefined && right.dueMs < (this.#items[childAt] as T).dueMs) childAt++;
      const child = this.#items[childAt] as T;
      if (item.dueMs <= child.dueMs) break;
      this.#place(child, at);
      at = childAt;
    }
    this.#place(item, at);
  }
}
