import { compareBytes } from '../../base/bytes.ts';
import { type Random, seededRandom } from '../../base/prng.ts';

/** [start, end); end undefined is open. */
interface Node<T> {
  readonly start: Uint8Array;
  readonly end: Uint8Array | undefined;
  readonly values: Set<T>;
  /** Heap order: no node's is above its parent's. Random, so the tree is balanced. */
  readonly priority: number;
  left: Node<T> | undefined;
  right: Node<T> | undefined;
  /** Largest end in the subtree; undefined if one is open. */
  maxEnd: Uint8Array | undefined;
}

/**
 * Which of many ranges hold a key: a treap ordered by (start, end), each node knowing the largest
 * end below it. Equal ranges share a node. A lookup costs the logarithm of the number of distinct
 * ranges for each one that is found.
 */
export class IntervalTree<T> {
  readonly #random: Random = seededRandom(0x9e37);
  #root: Node<T> | undefined;
  #size = 0;

  /** Distinct ranges. */
  get size(): number {
    return this.#size;
  }

  /** Levels; some few times the logarithm of the size. */
  get height(): number {
    return heightOf(this.#root);
  }

  add(start: Uint8Array, end: Uint8Array | undefined, value: T): void {
    const found = this.#find(start, end);
    if (found !== undefined) found.values.add(value);
    else this.#root = this.#insert(this.#root, start, end, value);
  }

  delete(start: Uint8Array, end: Uint8Array | undefined, value: T): void {
    const found = this.#find(start, end);
    if (found === undefined || !found.values.delete(value) || found.values.size > 0) return;
    this.#root = this.#remove(this.#root, found);
    this.#size--;
  }

  /**
   * Calls `visit` for every value whose range holds the key. The tree must not be changed
   * meanwhile.
   */
  at(key: Uint8Array, visit: (value: T) => void): void {
    this.#stab(this.#root, key, visit);
  }

  #stab(node: Node<T> | undefined, key: Uint8Array, visit: (value: T) => void): void {
    if (node === undefined) return;
    if (node.maxEnd !== undefined && compareBytes(node.maxEnd, key) <= 0) return;
    this.#stab(node.left, key, visit);
    if (compareBytes(node.start, key) > 0) return;
    if (node.end === undefined || compareBytes(key, node.end) < 0) {
      for (const value of node.values) visit(value);
    }
    this.#stab(node.right, key, visit);
  }

  #find(start: Uint8Array, end: Uint8Array | undefined): Node<T> | undefined {
    let node = this.#root;
    while (node !== undefined) {
      const order = compareRange(start, end, node);
      if (order === 0) return node;
      node = order < 0 ? node.left : node.right;
    }
    return undefined;
  }

  #insert(
    node: Node<T> | undefined,
    start: Uint8Array,
    end: Uint8Array | undefined,
    value: T,
  ): Node<T> {
    if (node === undefined) {
      this.#size++;
      const priority = this.#random.below(2 ** 31);
      const values = new Set([value]);
      return { start, end, values, priority, left: undefined, right: undefined, maxEnd: end };
    }
    if (compareRange(start, end, node) < 0) {
      node.left = this.#insert(node.left, start, end, value);
      if (node.left.priority > node.priority) return rotateRight(node);
    } else {
      node.right = this.#insert(node.right, start, end, value);
      if (node.right.priority > node.priority) return rotateLeft(node);
    }
    refresh(node);
    return node;
  }

  #remove(node: Node<T> | undefined, target: Node<T>): Node<T> | undefined {
    if (node === undefined) return undefined;
    if (node === target) return merge(node.left, node.right);
    if (compareRange(target.start, target.end, node) < 0) {
      node.left = this.#remove(node.left, target);
    } else {
      node.right = this.#remove(node.right, target);
    }
    refresh(node);
    return node;
  }
}

function compareRange<T>(start: Uint8Array, end: Uint8Array | undefined, node: Node<T>): number {
  return compareBytes(start, node.start) || compareEnds(end, node.end);
}

/** An open end is behind every other. */
function compareEnds(a: Uint8Array | undefined, b: Uint8Array | undefined): number {
  if (a === undefined || b === undefined)
    return (a === undefined ? 1 : 0) - (b === undefined ? 1 : 0);
  return compareBytes(a, b);
}

function heightOf<T>(node: Node<T> | undefined): number {
  return node === undefined ? 0 : 1 + Math.max(heightOf(node.left), heightOf(node.right));
}

function refresh<T>(node: Node<T>): void {
  let end = node.end;
  for (const child of [node.left, node.right]) {
    if (child !== undefined && compareEnds(child.maxEnd, end) > 0) end = child.maxEnd;
  }
  node.maxEnd = end;
}

function rotateRight<T>(node: Node<T>): Node<T> {
  const top = node.left as Node<T>;
  node.left = top.right;
  top.right = node;
  refresh(node);
  refresh(top);
  return top;
}

function rotateLeft<T>(node: Node<T>): Node<T> {
  const top = node.right as Node<T>;
  node.right = top.left;
  top.left = node;
  refresh(node);
  refresh(top);
  return top;
}

/** Every range of `left` is before every one of `right`. */
function merge<T>(left: Node<T> | undefined, right: Node<T> | undefined): Node<T> | undefined {
  if (left === undefined) return right;
  if (right === undefined) return left;
  if (left.priority > right.priority) {
    left.right = merge(left.right, right);
    refresh(left);
    return left;
  }
  right.left = merge(left, right.left);
  refresh(right);
  return right;
}
