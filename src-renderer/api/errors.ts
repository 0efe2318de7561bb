import type { ContractError, ContractErrorCode } from '../../src-main/contract/errors.ts';

/** A call or stream that failed: what happened, and what to do where that is known. */
export class ContractCallError extends Error {
  readonly code: ContractErrorCode;
  readonly hint: string | null;

  constructor(code: ContractErrorCode, message: string, hint?: string | null) {
    super(message);
    this.name = 'ContractCallError';
    this.code = code;
    this.hint = hint ?? null;
  }

  static from(error: ContractError): ContractCallError {
    return new ContractCallError(error.code, error.message, error.hint);
  }
}

/** Whatever was thrown, as an error with a code. */
export function asCallError(error: unknown): ContractCallError {
  if (error instanceof ContractCallError) return error;
  return new ContractCallError('Internal', error instanceof Error ? error.message : String(error));
}

/** The one line that a view shows: what happened, then what to do. */
export function errorText(error: unknown): string {
  const { message, hint } = asCallError(error);
  return hint === null ? asSentence(message) : `${asSentence(message)} ${hint}`;
}

/** Messages come without a full stop, since they may be put into another sentence. */
export function asSentence(message: string): string {
  return /[.!?。]$/.test(message) ? message : `${message}.`;
}
