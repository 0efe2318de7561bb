import { CodedError, errorMessage } from '../../base/errors.ts';

/** What the state store can refuse with. */
export const STORAGE_ERROR_CODES = [
  /** Another live process holds the folder. */
  'DataDirInUse',
  /** The folder does not hold a state that this version can open. */
  'StateCorrupt',
  /** A flush failed: what is in memory can no longer be made durable, so nothing more is taken. */
  'StateWriteFailed',
  'StateClosed',
  /** The compacted copy could not be made; the state is as it was. */
  'DefragmentFailed',
  /** The imported rows could not be written; the state is as it was. */
  'ImportFailed',
  /** A write during an import, or too many exports at once. */
  'StateBusy',
  /** A snapshot stream that is torn, corrupt, foreign or of a newer version. */
  'SnapshotInvalid',
] as const;
export type StorageErrorCode = (typeof STORAGE_ERROR_CODES)[number];

export function storageError(
  code: StorageErrorCode,
  message: string,
  options: { hint?: string; cause?: unknown } = {},
): CodedError<StorageErrorCode> {
  return new CodedError(code, message, options);
}

export function writeFailed(what: string, cause: unknown): CodedError<StorageErrorCode> {
  return storageError('StateWriteFailed', `${what}: ${errorMessage(cause)}`, {
    hint: 'Free disk space or repair the disk, then restart: the log replays what is missing.',
    cause,
  });
}
