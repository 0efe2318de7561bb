/** The error codes that cross from main to renderer. Messages are for people, codes are for code. */
export const CONTRACT_ERROR_CODES = [
  'InvalidArgument',
  'NotFound',
  'AlreadyExists',
  'Conflict',
  'FailedPrecondition',
  'Unavailable',
  'NoLeader',
  'NoSpace',
  'Compacted',
  'TooLarge',
  'PermissionDenied',
  'Unauthenticated',
  'Timeout',
  'Cancelled',
  'PortInUse',
  'DataDir',
  'Unsupported',
  'Internal',
] as const;
export type ContractErrorCode = (typeof CONTRACT_ERROR_CODES)[number];

/** How an error crosses: what happened, and what to do where we know it. */
export interface ContractError {
  code: ContractErrorCode;
  message: string;
  hint?: string;
}
