import { CodedError } from '../../../base/errors.ts';
import { RpcError, RpcStatus } from '../../rpc/status.ts';
import { toRpcError } from '../errors.ts';

/** What locks and elections find themselves. */
export const CONCURRENCY_ERROR_CODES = [
  'NotElected',
  'NothingElected',
  'LeaderKeyMissing',
  'SessionExpired',
] as const;
export type ConcurrencyErrorCode = (typeof CONCURRENCY_ERROR_CODES)[number];

/** Clients compare them word by word, so they are etcd's (client/v3/concurrency, v3election). */
const MESSAGES: Record<ConcurrencyErrorCode, string> = {
  NotElected: 'election: not leader',
  NothingElected: 'election: no leader',
  LeaderKeyMissing: '"leader" field must be provided',
  SessionExpired: 'mutex: session is expired',
};

export function concurrencyError(code: ConcurrencyErrorCode): CodedError<ConcurrencyErrorCode> {
  return new CodedError(code, MESSAGES[code]);
}

function isConcurrencyCode(code: string): code is ConcurrencyErrorCode {
  return Object.hasOwn(MESSAGES, code);
}

/** The call ended while it waited; nobody hears this. */
export function callEnded(): RpcError {
  return new RpcError(RpcStatus.CANCELLED, 'context canceled');
}

/**
 * etcd serves locks and elections through a client inside the server. Errors lose their status on
 * that way, so every one of them is UNKNOWN and only its message tells what it is.
 */
export async function withoutStatus<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof RpcError) throw error;
    if (error instanceof CodedError && isConcurrencyCode(error.code)) {
      throw new RpcError(RpcStatus.UNKNOWN, MESSAGES[error.code], { cause: error });
    }
    const mapped = toRpcError(error);
    if (!(mapped instanceof RpcError)) throw mapped;
    throw new RpcError(RpcStatus.UNKNOWN, mapped.message, { cause: error });
  }
}
