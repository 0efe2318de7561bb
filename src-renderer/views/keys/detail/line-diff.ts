/** What differs between two texts, line by line (Myers, "An O(ND) Difference Algorithm", 1986). */

/** Lines [aFrom, aTo) of the one stand where lines [bFrom, bTo) of the other do. */
export interface Hunk {
  aFrom: number;
  aTo: number;
  bFrom: number;
  bTo: number;
}

/**
 * Edits that are searched for. Two texts that differ in more are shown as one whole replaced by the
 * other: no one reads that line by line, and the search's time and memory grow with its square.
 */
export const MAX_EDITS = 1_500;

export function splitLines(text: string): string[] {
  return text.split('\n');
}

export function diffLines(a: readonly string[], b: readonly string[]): Hunk[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  const longest = Math.min(a.length, b.length) - head;
  while (tail < longest && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const aTo = a.length - tail;
  const bTo = b.length - tail;
  if (head === aTo && head === bTo) return [];
  const whole: Hunk = { aFrom: head, aTo, bFrom: head, bTo };
  if (head === aTo || head === bTo) return [whole];
  const [left, right] = interned(a.slice(head, aTo), b.slice(head, bTo));
  const trace = search(left, right);
  return trace === null ? [whole] : hunksOf(trace, left, right, head);
}

/** Equal lines get equal numbers, which compare faster than text. */
function interned(a: readonly string[], b: readonly string[]): [Int32Array, Int32Array] {
  const numbers = new Map<string, number>();
  const numberOf = (line: string) => {
    const known = numbers.get(line);
    if (known !== undefined) return known;
    numbers.set(line, numbers.size);
    return numbers.size - 1;
  };
  return [Int32Array.from(a, numberOf), Int32Array.from(b, numberOf)];
}

/** The furthest reaching paths for 0, 1, 2, … edits; null if more than MAX_EDITS are needed. */
function search(a: Int32Array, b: Int32Array): Int32Array[] | null {
  const max = Math.min(a.length + b.length, MAX_EDITS);
  const middle = max + 1;
  const furthest = new Int32Array(2 * max + 3);
  const trace: Int32Array[] = [];
  for (let edits = 0; edits <= max; edits++) {
    // Diagonals -edits-1 to edits+1, as they were before this round.
    trace.push(furthest.slice(middle - edits - 1, middle + edits + 2));
    for (let k = -edits; k <= edits; k += 2) {
      const down = furthest[middle + k + 1] ?? 0;
      const right = (furthest[middle + k - 1] ?? 0) + 1;
      let x = k === -edits || (k !== edits && right <= down) ? down : right;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      furthest[middle + k] = x;
      if (x >= a.length && x - k >= b.length) return trace;
    }
  }
  return null;
}

/** Walks the paths backwards and gathers the edits that follow upon each other. */
function hunksOf(trace: Int32Array[], a: Int32Array, b: Int32Array, offset: number): Hunk[] {
  const hunks: Hunk[] = [];
  let x = a.length;
  let y = b.length;
  for (let edits = trace.length - 1; edits > 0; edits--) {
    const before = trace[edits] as Int32Array;
    const at = (diagonal: number) => before[diagonal + edits + 1] ?? 0;
    const k = x - y;
    const isDown = k === -edits || (k !== edits && at(k - 1) + 1 <= at(k + 1));
    const previousK = isDown ? k + 1 : k - 1;
    const fromX = at(previousK);
    const fromY = fromX - previousK;
    const toX = isDown ? fromX : fromX + 1;
    const toY = isDown ? fromY + 1 : fromY;
    const next = hunks.at(-1);
    if (next !== undefined && next.aFrom === toX + offset && next.bFrom === toY + offset) {
      next.aFrom = fromX + offset;
      next.bFrom = fromY + offset;
    } else {
      hunks.push({
        aFrom: fromX + offset,
        aTo: toX + offset,
        bFrom: fromY + offset,
        bTo: toY + offset,
      });
    }
    x = fromX;
    y = fromY;
  }
  return hunks.reverse();
}

export interface DiffRow {
  sign: ' ' | '-' | '+';
  /** 1-based, in the text that the line is from. */
  line: number;
  text: string;
  /** The line that stands in its place on the other side, where they pair up one to one. */
  partner: string | null;
}

/** Unchanged lines that were left out. */
export interface DiffGap {
  sign: '…';
  count: number;
}

export const CONTEXT_LINES = 3;

export function countChanged(hunks: readonly Hunk[]): { added: number; removed: number } {
  let added = 0;
  let removed = 0;
  for (const hunk of hunks) {
    added += hunk.bTo - hunk.bFrom;
    removed += hunk.aTo - hunk.aFrom;
  }
  return { added, removed };
}

/** The changes with some lines around them, as rows to show. */
export function diffRows(
  a: readonly string[],
  b: readonly string[],
  hunks: readonly Hunk[],
  context = CONTEXT_LINES,
): (DiffRow | DiffGap)[] {
  const rows: (DiffRow | DiffGap)[] = [];
  let at = 0;
  const equal = (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      rows.push({ sign: ' ', line: i + 1, text: b[i] ?? '', partner: null });
    }
  };
  const between = (from: number, to: number, isFirst: boolean, isLast: boolean) => {
    const keepHead = isFirst ? 0 : context;
    const keepTail = isLast ? 0 : context;
    // A gap takes a row itself: one line is shown rather than left out.
    if (to - from <= keepHead + keepTail + 1) return equal(from, to);
    equal(from, from + keepHead);
    rows.push({ sign: '…', count: to - from - keepHead - keepTail });
    equal(to - keepTail, to);
  };
  hunks.forEach((hunk, index) => {
    between(at, hunk.bFrom, index === 0, false);
    const pairs = hunk.aTo - hunk.aFrom === hunk.bTo - hunk.bFrom;
    for (let i = hunk.aFrom; i < hunk.aTo; i++) {
      const partner = pairs ? (b[hunk.bFrom + i - hunk.aFrom] ?? null) : null;
      rows.push({ sign: '-', line: i + 1, text: a[i] ?? '', partner });
    }
    for (let i = hunk.bFrom; i < hunk.bTo; i++) {
      const partner = pairs ? (a[hunk.aFrom + i - hunk.bFrom] ?? null) : null;
      rows.push({ sign: '+', line: i + 1, text: b[i] ?? '', partner });
    }
    at = hunk.bTo;
  });
  between(at, b.length, hunks.length === 0, true);
  return rows;
}

/** What of a line is not in the other: the part between their equal heads and tails. */
export function changedPart(line: string, other: string): { from: number; to: number } {
  let head = 0;
  const shorter = Math.min(line.length, other.length);
  while (head < shorter && line[head] === other[head]) head++;
  let tail = 0;
  while (tail < shorter - head && line[line.length - 1 - tail] === other[other.length - 1 - tail]) {
    tail++;
  }
  return { from: head, to: line.length - tail };
}
