import type { Edit } from './code-editor.ts';
import { splitLines } from './line-diff.ts';
import { type Chunk, merge3 } from './merge3.ts';

export type Choice = 'theirs' | 'mine' | 'both' | 'base';

/** A place where the three texts differ, and what the result takes of it. */
export interface Decision {
  chunk: Chunk;
  /** Null: a conflict that nobody has decided yet; `edited`: by hand, in the result. */
  choice: Choice | 'edited' | null;
  /** Where it stands in the result, as offsets. */
  from: number;
  to: number;
}

/**
 * Three versions of a text brought together. What only one side changed is taken by itself, a
 * conflict waits for a decision; the result can be edited on top. Until a conflict is decided the
 * result holds my lines there.
 */
export class MergeModel {
  text = $state('');
  decisions = $state.raw<readonly Decision[]>([]);
  /** No line at all, which as a text looks like one empty line. */
  #isEmpty = false;

  constructor(base: string, theirs: string, mine: string) {
    const chunks = merge3(splitLines(base), splitLines(theirs), splitLines(mine));
    const decisions: Decision[] = [];
    let text = '';
    for (const chunk of chunks) {
      const from = text.length;
      const choice = firstChoice(chunk);
      text += block(linesOf(chunk, choice ?? 'mine'));
      if (chunk.kind !== 'equal') decisions.push({ chunk, choice, from, to: text.length });
    }
    this.#setLines(text);
    this.decisions = decisions;
  }

  readonly conflicts: number = $derived(
    this.decisions.filter((decision) => decision.chunk.kind === 'conflict').length,
  );
  readonly open: number = $derived(
    this.decisions.filter((decision) => decision.choice === null).length,
  );

  choose(index: number, choice: Choice): void {
    const chosen = this.decisions[index];
    if (chosen === undefined) return;
    const lines = block(linesOf(chosen.chunk, choice));
    const shift = lines.length - (chosen.to - chosen.from);
    const whole = this.#isEmpty ? '' : `${this.text}\n`;
    this.#setLines(whole.slice(0, chosen.from) + lines + whole.slice(chosen.to));
    this.decisions = this.decisions.map((decision, i) => {
      if (i === index) return { ...decision, choice, to: decision.from + lines.length };
      if (i < index) return decision;
      return { ...decision, from: decision.from + shift, to: decision.to + shift };
    });
  }

  /** The result was edited by hand: places move along, and one that was touched counts as decided. */
  edit(text: string, edits: readonly Edit[]): void {
    this.text = text;
    this.#isEmpty = false;
    this.decisions = this.decisions.map((decision) => {
      const isTouched = edits.some((edit) => edit.from < decision.to && edit.to >= decision.from);
      const from = moved(decision.from, edits, false);
      const to = Math.max(from, moved(decision.to, edits, isTouched));
      return { ...decision, from, to, choice: isTouched ? 'edited' : decision.choice };
    });
  }

  /** Lines that all end with a break, the last one too. */
  #setLines(lines: string): void {
    this.#isEmpty = lines === '';
    this.text = lines.slice(0, -1);
  }
}

function firstChoice(chunk: Chunk): Choice | null {
  if (chunk.kind === 'conflict') return null;
  return chunk.kind === 'theirs' || chunk.kind === 'both' ? 'theirs' : 'mine';
}

function linesOf(chunk: Chunk, choice: Choice): readonly string[] {
  return choice === 'both' ? [...chunk.theirs, ...chunk.mine] : chunk[choice];
}

function block(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

/** Where an offset is after edits; within replaced text it goes to its start, or to its end. */
function moved(at: number, edits: readonly Edit[], toEnd: boolean): number {
  let shift = 0;
  for (const edit of edits) {
    const isInsertAt = edit.from === edit.to && edit.from === at;
    if (edit.from > at || (isInsertAt && !toEnd)) break;
    if (edit.to <= at) {
      shift += edit.insert.length - (edit.to - edit.from);
    } else {
      return edit.from + shift + (toEnd ? edit.insert.length : 0);
    }
  }
  return at + shift;
}
