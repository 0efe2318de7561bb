import { z } from 'zod';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import {
  CONTRACT_ERROR_CODES,
  type ContractError,
  type ContractErrorCode,
} from '../contract/errors.ts';
import type { SupervisorErrorCode } from '../supervisor/errors.ts';

/** The supervisor's codes in the renderer's words. */
const FROM_SUPERVISOR: Record<SupervisorErrorCode, ContractErrorCode> = {
  DefinitionCorrupt: 'DataDir',
  DefinitionVersion: 'DataDir',
  DefinitionInvalid: 'InvalidArgument',
  ClusterNotFound: 'NotFound',
  ClusterExists: 'AlreadyExists',
  ClusterRunning: 'FailedPrecondition',
  NodeNotFound: 'NotFound',
  NodeNotRunning: 'FailedPrecondition',
  DataDirForeign: 'DataDir',
  DataDirUnwritable: 'DataDir',
  DataDirInUse: 'DataDir',
  PortInUse: 'PortInUse',
  NoFreePorts: 'PortInUse',
  SpawnFailed: 'Unavailable',
  StopFailed: 'FailedPrecondition',
  Unsupported: 'Unsupported',
};

const CONTRACT_CODES: ReadonlySet<string> = new Set(CONTRACT_ERROR_CODES);

/** An error of ours, thrown by the services. */
export function failure(
  code: ContractErrorCode,
  message: string,
  hint?: string,
): CodedError<ContractErrorCode> {
  return new CodedError(code, message, hint === undefined ? {} : { hint });
}

/**
 * Whatever was thrown, as it crosses. Only what nobody foresaw is Internal, and is logged with its
 * stack.
 */
export function toContractError(error: unknown, logger: Logger): ContractError {
  if (error instanceof z.ZodError) return { code: 'InvalidArgument', message: zodMessage(error) };
  if (error instanceof CodedError) {
    const code = contractCode(error.code);
    if (code !== null) {
      const { message, hint } = error;
      return hint === undefined ? { code, message } : { code, message, hint };
    }
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return { code: 'Cancelled', message: 'the call was cancelled' };
  }
  logger.error('unexpected error', { error: error instanceof Error ? error.stack : String(error) });
  return { code: 'Internal', message: errorMessage(error) };
}

/** "keys.0: Too small …": the first thing that is wrong with an input. */
export function zodMessage(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'invalid input';
  const path = issue.path.map(String).join('.');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}

function contractCode(code: string): ContractErrorCode | null {
  if (Object.hasOwn(FROM_SUPERVISOR, code)) return FROM_SUPERVISOR[code as SupervisorErrorCode];
  return CONTRACT_CODES.has(code) ? (code as ContractErrorCode) : null;
}
