import { CodedError, errorMessage } from '../../base/errors.ts';

/** What the write-ahead log can refuse with. */
export const WAL_ERROR_CODES = [
  /** Damage in data that was synced: not the torn end of a crash. */
  'WalCorrupt',
  /** A file that is not a segment of ours, or one of a newer version. */
  'WalForeign',
  /** There is no log to open, or one where a new one was to be made. */
  'WalMissing',
  'WalExists',
  /** An I/O error: nothing more is written until the node restarts. */
  'WalWriteFailed',
  'WalClosed',
] as const;
export type WalErrorCode = (typeof WAL_ERROR_CODES)[number];

export function walError(
  code: WalErrorCode,
  message: string,
  options: { hint?: string; cause?: unknown } = {},
): CodedError<WalErrorCode> {
  return new CodedError(code, message, options);
}

export function corrupt(file: string, offset: number, what: string): CodedError<WalErrorCode> {
  return walError('WalCorrupt', `write-ahead log ${file} is corrupt at byte ${offset}: ${what}`, {
    hint:
      'Nothing was changed. Restore this member from a backup of its whole data folder, ' +
      'or remove it from the cluster and let it rejoin with an empty one.',
  });
}

export function writeFailed(file: string, cause: unknown): CodedError<WalErrorCode> {
  return walError(
    'WalWriteFailed',
    `write-ahead log ${file} cannot be written: ${errorMessage(cause)}`,
    {
      hint: 'Free disk space or repair the disk, then restart. What was acknowledged is safe.',
      cause,
    },
  );
}
