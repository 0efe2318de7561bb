import type { Edit } from './types.ts';

/** The source with all edits made. Throws if one of them does not match exactly once. */
export function applyEdits(what: string, source: string, edits: readonly Edit[]): string {
  let edited = source;
  for (const { file, find, replace } of edits) {
    const parts = edited.split(find);
    if (parts.length !== 2) {
      throw new Error(
        `${what}: the code has moved on: plant it anew. ` +
          `In ${file} this is there ${parts.length - 1} times:\n${find}`,
      );
    }
    edited = parts.join(replace);
  }
  return edited;
}

/** By file, in order. */
export function editsByFile(edits: readonly Edit[]): Map<string, Edit[]> {
  const files = new Map<string, Edit[]>();
  for (const edit of edits) {
    const known = files.get(edit.file);
    if (known === undefined) files.set(edit.file, [edit]);
    else known.push(edit);
  }
  return files;
}
