import { CodedError } from '../../base/errors.ts';

/** What reading and writing a bbolt file can fail with. */
export const BOLT_ERROR_CODES = [
  /** The file is torn, corrupt, or no bbolt database at all. Nothing that was read of it counts. */
  'BoltInvalid',
  /** The file has no bucket of that name. */
  'BoltNoBucket',
] as const;
export type BoltErrorCode = (typeof BOLT_ERROR_CODES)[number];

export function boltInvalid(path: string, what: string): CodedError<BoltErrorCode> {
  return new CodedError('BoltInvalid', `${path} is refused: ${what}`, {
    hint: 'Take the snapshot again, or copy the file again.',
  });
}

export function noBucket(path: string, name: string): CodedError<BoltErrorCode> {
  return new CodedError('BoltNoBucket', `${path} has no bucket "${name}"`, {
    hint: 'It is a bbolt database, but not one of etcd.',
  });
}
