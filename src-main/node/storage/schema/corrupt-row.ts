import { errorMessage } from '../../../base/errors.ts';
import { storageError } from '../errors.ts';

/** Decodes a row of this many bytes, or of any number. Throws StateCorrupt for what is no such row. */
export function decodeRow<T>(
  what: string,
  row: Uint8Array,
  bytes: number | undefined,
  decode: () => T,
): T {
  if (bytes !== undefined && row.length !== bytes) {
    throw corruptRow(what, `it has ${row.length} bytes, not ${bytes}`);
  }
  try {
    return decode();
  } catch (error) {
    throw corruptRow(what, errorMessage(error), error);
  }
}

function corruptRow(what: string, why: string, cause?: unknown) {
  return storageError('StateCorrupt', `the state has a corrupt row, ${what}: ${why}`, {
    hint: 'Restore the folder from a backup, or remove this member and let it rejoin.',
    ...(cause === undefined ? {} : { cause }),
  });
}
