import { relative, sep } from 'node:path';
import type { Plugin } from 'vite';
import { applyEdits, editsByFile } from './edits.ts';
import type { Edit } from './types.ts';

/** Makes edits while the simulator is bundled. The build fails if one of them does not match. */
export function editSources(what: string, edits: readonly Edit[], root: string): Plugin {
  const left = editsByFile(edits);
  return {
    name: what,
    enforce: 'pre',
    transform(code, id) {
      const file = relative(root, id.split('?')[0] as string)
        .split(sep)
        .join('/');
      const own = left.get(file);
      if (own === undefined) return undefined;
      left.delete(file);
      return { code: applyEdits(what, code, own), map: null };
    },
    buildEnd(error) {
      if (error !== undefined || left.size === 0) return;
      throw new Error(`${what}: the simulator does not run ${[...left.keys()].join(', ')}`);
    },
  };
}
