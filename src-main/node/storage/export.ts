import { setImmediate as nextTurn } from 'node:timers/promises';
import { SnapshotWriter } from './snapshot-format.ts';
import { TABLES } from './types.ts';
import type { ReadView } from './view.ts';

/** The view's rows as a snapshot stream. Between two chunks the event loop runs. */
export function exportRows(view: ReadView): AsyncIterable<Buffer> {
  const chunks = generate(view);
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => chunks.next(),
      // A generator that was never started does not run its `finally`.
      return: () => {
        view.end();
        return chunks.return(undefined);
      },
    }),
  };
}

async function* generate(view: ReadView): AsyncGenerator<Buffer, undefined> {
  try {
    await view.ready;
    const writer = new SnapshotWriter();
    for (const table of TABLES) {
      for (const row of view.range(table, {})) {
        writer.row(table, row);
        for (let chunk = writer.take(); chunk !== undefined; chunk = writer.take()) {
          yield chunk;
          await nextTurn();
          view.check();
        }
      }
    }
    yield* writer.finish();
    return undefined;
  } finally {
    view.end();
  }
}
