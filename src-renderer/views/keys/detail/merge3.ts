/** Two edits of one text, brought together line by line (the diff3 of Khanna, Kunal and Pierce). */
import { diffLines, type Hunk } from './line-diff.ts';

export type ChunkKind =
  /** All three agree. */
  | 'equal'
  /** Only one side changed these lines. */
  | 'theirs'
  | 'mine'
  /** Both made the same change. */
  | 'both'
  /** Each made another. */
  | 'conflict';

export interface Chunk {
  kind: ChunkKind;
  base: readonly string[];
  theirs: readonly string[];
  mine: readonly string[];
  /** 0-based numbers of the first lines in each text. */
  baseFrom: number;
  theirsFrom: number;
  mineFrom: number;
}

interface Region {
  baseFrom: number;
  baseTo: number;
  theirs: boolean;
  mine: boolean;
}

/** In the order of the text; their sides joined give the three texts back. */
export function merge3(
  base: readonly string[],
  theirs: readonly string[],
  mine: readonly string[],
): Chunk[] {
  const theirHunks = diffLines(base, theirs);
  const myHunks = diffLines(base, mine);
  const chunks: Chunk[] = [];
  const toTheirs = new Mapping(theirHunks);
  const toMine = new Mapping(myHunks);
  const add = (kind: ChunkKind | null, from: number, to: number) => {
    const [theirsFrom, theirsTo] = toTheirs.range(from, to, kind !== 'equal');
    const [mineFrom, mineTo] = toMine.range(from, to, kind !== 'equal');
    const part = {
      base: base.slice(from, to),
      theirs: theirs.slice(theirsFrom, theirsTo),
      mine: mine.slice(mineFrom, mineTo),
      baseFrom: from,
      theirsFrom,
      mineFrom,
    };
    if (kind === 'equal' && part.base.length === 0) return;
    const agreed = equalLines(part.theirs, part.mine) ? 'both' : 'conflict';
    chunks.push({ kind: kind ?? agreed, ...part });
  };
  let at = 0;
  for (const region of regions(theirHunks, myHunks)) {
    add('equal', at, region.baseFrom);
    const kind = region.theirs && region.mine ? null : region.theirs ? 'theirs' : 'mine';
    add(kind, region.baseFrom, region.baseTo);
    at = region.baseTo;
  }
  add('equal', at, base.length);
  return chunks;
}

/** Changes that touch the same lines of the base, or lines side by side, belong together. */
function regions(theirs: readonly Hunk[], mine: readonly Hunk[]): Region[] {
  const all = [
    ...theirs.map((hunk) => ({ hunk, isMine: false })),
    ...mine.map((hunk) => ({ hunk, isMine: true })),
  ].sort((a, b) => a.hunk.aFrom - b.hunk.aFrom || a.hunk.aTo - b.hunk.aTo);
  const out: Region[] = [];
  for (const { hunk, isMine } of all) {
    const last = out.at(-1);
    if (last !== undefined && hunk.aFrom <= last.baseTo) {
      last.baseTo = Math.max(last.baseTo, hunk.aTo);
      last.theirs ||= !isMine;
      last.mine ||= isMine;
    } else {
      out.push({ baseFrom: hunk.aFrom, baseTo: hunk.aTo, theirs: !isMine, mine: isMine });
    }
  }
  return out;
}

/** Line numbers of the base as those of an edited text. */
class Mapping {
  readonly #hunks: readonly Hunk[];

  constructor(hunks: readonly Hunk[]) {
    this.#hunks = hunks;
  }

  /** `withEdges`: insertions at either end belong to the range. */
  range(from: number, to: number, withEdges: boolean): [number, number] {
    let shiftFrom = 0;
    let shiftTo = 0;
    for (const hunk of this.#hunks) {
      const shift = hunk.bTo - hunk.bFrom - (hunk.aTo - hunk.aFrom);
      const isBefore = withEdges ? hunk.aTo <= from && hunk.aFrom < from : hunk.aTo <= from;
      if (isBefore) shiftFrom += shift;
      if (withEdges ? hunk.aTo <= to : isBefore) shiftTo += shift;
    }
    return [from + shiftFrom, to + shiftTo];
  }
}

function equalLines(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, i) => line === b[i]);
}
