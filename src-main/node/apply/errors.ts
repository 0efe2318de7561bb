import { CodedError } from '../../base/errors.ts';
import { NODE_ERROR_CODES, type NodeErrorCode } from './types.ts';

const CODES: ReadonlySet<string> = new Set(NODE_ERROR_CODES);

/** What a read or a request is refused with. api/errors.ts owns the wording that clients see. */
export function nodeError(code: NodeErrorCode, message: string = code): CodedError<NodeErrorCode> {
  return new CodedError(code, message);
}

/** A refusal that belongs to the request; everything else means that this node cannot go on. */
export function isNodeError(error: unknown): error is CodedError<NodeErrorCode> {
  return error instanceof CodedError && CODES.has(error.code);
}
