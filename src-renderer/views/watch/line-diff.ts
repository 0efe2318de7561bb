export interface DiffLine {
  sign: ' ' | '-' | '+';
  /** Line number in the old text for '-', in the new one otherwise; 1-based. */
  line: number;
  text: string;
}

export interface Diff {
  lines: DiffLine[];
  removed: number;
  added: number;
  /** The texts were too long to compare line by line: all old lines, then all new ones. */
  coarse: boolean;
}

/** Above this many table cells the exact comparison would stall the view. */
const MAX_CELLS = 1_000_000;
/** Unchanged lines kept around a change. */
export const CONTEXT_LINES = 3;

/** Longest common subsequence over lines, after equal heads and tails are set aside. */
export function diffLines(before: string, after: string): Diff {
  const a = before.split('\n');
  const b = after.split('\n');
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (
    tail < a.length - head &&
    tail < b.length - head &&
    a[a.length - 1 - tail] === b[b.length - 1 - tail]
  ) {
    tail++;
  }
  const middleA = a.slice(head, a.length - tail);
  const middleB = b.slice(head, b.length - tail);
  const coarse = middleA.length * middleB.length > MAX_CELLS;
  const middle = coarse
    ? [...middleA.map(removedLine(head)), ...middleB.map(addedLine(head))]
    : diffMiddle(middleA, middleB, head);
  const lines: DiffLine[] = [
    ...b.slice(0, head).map((text, i) => ({ sign: ' ' as const, line: i + 1, text })),
    ...middle,
    ...b
      .slice(b.length - tail)
      .map((text, i) => ({ sign: ' ' as const, line: b.length - tail + i + 1, text })),
  ];
  return {
    lines,
    removed: middle.filter((line) => line.sign === '-').length,
    added: middle.filter((line) => line.sign === '+').length,
    coarse,
  };
}

function removedLine(offset: number) {
  return (text: string, i: number): DiffLine => ({ sign: '-', line: offset + i + 1, text });
}

function addedLine(offset: number) {
  return (text: string, i: number): DiffLine => ({ sign: '+', line: offset + i + 1, text });
}

function diffMiddle(a: string[], b: string[], offset: number): DiffLine[] {
  const width = b.length + 1;
  // common[i * width + j]: length of the longest common subsequence of a[i..] and b[j..].
  const common = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] as number;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] =
        a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const out: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ sign: ' ', line: offset + j + 1, text: b[j] as string });
      i++;
      j++;
    } else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1))) {
      out.push({ sign: '-', line: offset + i + 1, text: a[i] as string });
      i++;
    } else {
      out.push({ sign: '+', line: offset + j + 1, text: b[j] as string });
      j++;
    }
  }
  return out;
}

/** Leaves out what is far from any change; `null` marks a gap. */
export function withContext(
  lines: readonly DiffLine[],
  context = CONTEXT_LINES,
): (DiffLine | null)[] {
  const keep = new Uint8Array(lines.length);
  lines.forEach((line, i) => {
    if (line.sign === ' ') return;
    keep.fill(1, Math.max(0, i - context), Math.min(lines.length, i + context + 1));
  });
  const out: (DiffLine | null)[] = [];
  let open = false;
  lines.forEach((line, i) => {
    if (keep[i] === 1) {
      out.push(line);
      open = true;
    } else if (open || i === 0) {
      out.push(null);
      open = false;
    }
  });
  return out;
}

export interface Marked {
  head: string;
  changed: string;
  tail: string;
}

/** Characters of equal text kept on either side of what changed within a line. */
const MARK_CONTEXT_CHARS = 60;

/** What differs between two versions of one line, with some of the equal text around it. */
export function markLine(before: string, after: string): { before: Marked; after: Marked } {
  let head = 0;
  const shorter = Math.min(before.length, after.length);
  while (head < shorter && before[head] === after[head]) head++;
  let tail = 0;
  while (
    tail < shorter - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  ) {
    tail++;
  }
  const cut = (line: string): Marked => {
    const start = line.slice(0, head);
    const end = line.slice(line.length - tail);
    return {
      head: start.length > MARK_CONTEXT_CHARS ? `…${start.slice(-MARK_CONTEXT_CHARS)}` : start,
      changed: line.slice(head, line.length - tail),
      tail: end.length > MARK_CONTEXT_CHARS ? `${end.slice(0, MARK_CONTEXT_CHARS)}…` : end,
    };
  };
  return { before: cut(before), after: cut(after) };
}

/**
 * For each row, the line that it replaces or is replaced by, where removed and added lines pair up
 * one to one.
 */
export function partners(rows: readonly (DiffLine | null)[]): (DiffLine | null)[] {
  const out: (DiffLine | null)[] = rows.map(() => null);
  for (let i = 0; i < rows.length; i++) {
    if (rows[i]?.sign !== '-') continue;
    let end = i;
    while (rows[end]?.sign === '-') end++;
    let last = end;
    while (rows[last]?.sign === '+') last++;
    if (last - end === end - i) {
      for (let k = i; k < end; k++) {
        const added = k + (end - i);
        out[k] = rows[added] ?? null;
        out[added] = rows[k] ?? null;
      }
    }
    i = last - 1;
  }
  return out;
}
