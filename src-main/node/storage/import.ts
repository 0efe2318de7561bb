import { setImmediate as nextTurn } from 'node:timers/promises';
import { errorMessage } from '../../base/errors.ts';
import type { LmdbEnvironment } from './environment.ts';
import { storageError } from './errors.ts';
import { Layer } from './layer.ts';
import { SnapshotReader } from './snapshot-format.ts';

/**
 * One transaction of an import: enough to make its sync cheap, little enough for memory and the
 * event loop.
 */
const IMPORT_BATCH_BYTES = 1024 * 1024;

/** Writes a snapshot stream into an empty file. Its rows are sound only if this resolves. */
export async function importRows(
  environment: LmdbEnvironment,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const reader = new SnapshotReader();
  let layer = new Layer();
  const write = async () => {
    if (layer.rows === 0) return;
    try {
      await environment.write(layer.tables);
    } catch (error) {
      throw storageError('ImportFailed', `the snapshot cannot be stored: ${errorMessage(error)}`, {
        hint: 'The state is as it was. Free disk space: old and new state are kept for a while.',
        cause: error,
      });
    }
    layer = new Layer();
  };
  for await (const chunk of chunks) {
    reader.push(chunk);
    for (let row = reader.next(); row !== undefined; row = reader.next()) {
      layer.set(row.table, row.key, row.value);
      if (layer.memoryBytes >= IMPORT_BATCH_BYTES) await write();
    }
    await nextTurn();
  }
  reader.finish();
  await write();
}
