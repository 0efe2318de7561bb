import { errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { RpcError, RpcStatus } from './status.ts';

/**
 * The status that a call ends with when its handler rejects. Anything but an RpcError is a defect,
 * unless the call was aborted, and is logged.
 */
export function handlerError(
  logger: Logger,
  path: string,
  error: unknown,
  aborted: boolean,
): RpcError {
  if (error instanceof RpcError) return error;
  if (aborted) return new RpcError(RpcStatus.CANCELLED, 'context canceled');
  logger.error('a handler failed', {
    method: path,
    error: errorMessage(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  return new RpcError(RpcStatus.INTERNAL, `internal error: ${errorMessage(error)}`);
}
