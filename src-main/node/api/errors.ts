import { CodedError } from '../../base/errors.ts';
import type { NodeErrorCode } from '../apply/types.ts';
import { RpcError, RpcStatus } from '../rpc/status.ts';

/** Errors that only the API itself finds. */
export const API_ERROR_CODES = ['BadLeaderTransferee'] as const;
export type ApiErrorCode = (typeof API_ERROR_CODES)[number];

interface GrpcError {
  status: RpcStatus;
  /**
   * Clients compare it word by word, so it must be etcd's (api/v3rpc/rpctypes/error.go of etcd
   * 3.5).
   */
  message: string;
}

const S = RpcStatus;

/** The one table from error codes to gRPC. */
const GRPC_ERRORS: Record<NodeErrorCode | ApiErrorCode, GrpcError> = {
  EmptyKey: { status: S.INVALID_ARGUMENT, message: 'etcdserver: key is not provided' },
  KeyNotFound: { status: S.INVALID_ARGUMENT, message: 'etcdserver: key not found' },
  ValueProvided: { status: S.INVALID_ARGUMENT, message: 'etcdserver: value is provided' },
  LeaseProvided: { status: S.INVALID_ARGUMENT, message: 'etcdserver: lease is provided' },
  TooManyOps: {
    status: S.INVALID_ARGUMENT,
    message: 'etcdserver: too many operations in txn request',
  },
  DuplicateKey: {
    status: S.INVALID_ARGUMENT,
    message: 'etcdserver: duplicate key given in txn request',
  },
  InvalidSortOption: { status: S.INVALID_ARGUMENT, message: 'etcdserver: invalid sort option' },
  Compacted: {
    status: S.OUT_OF_RANGE,
    message: 'etcdserver: mvcc: required revision has been compacted',
  },
  FutureRev: {
    status: S.OUT_OF_RANGE,
    message: 'etcdserver: mvcc: required revision is a future revision',
  },
  NoSpace: { status: S.RESOURCE_EXHAUSTED, message: 'etcdserver: mvcc: database space exceeded' },
  LeaseNotFound: { status: S.NOT_FOUND, message: 'etcdserver: requested lease not found' },
  LeaseExist: { status: S.FAILED_PRECONDITION, message: 'etcdserver: lease already exists' },
  LeaseTtlTooLarge: { status: S.OUT_OF_RANGE, message: 'etcdserver: too large lease TTL' },
  RequestTooLarge: { status: S.INVALID_ARGUMENT, message: 'etcdserver: request is too large' },
  // This and MemberNotEnoughStarted leave etcd without the code that its table has for them, in
  // 3.4 and 3.5 alike: clients go by the message.
  TooManyRequests: { status: S.UNKNOWN, message: 'etcdserver: too many requests' },
  InvalidClientApiVersion: {
    status: S.INVALID_ARGUMENT,
    message: 'etcdserver: invalid client api version',
  },
  NoLeader: { status: S.UNAVAILABLE, message: 'etcdserver: no leader' },
  NotLeader: { status: S.FAILED_PRECONDITION, message: 'etcdserver: not leader' },
  LeaderChanged: { status: S.UNAVAILABLE, message: 'etcdserver: leader changed' },
  NotCapable: { status: S.UNAVAILABLE, message: 'etcdserver: not capable' },
  Stopped: { status: S.UNAVAILABLE, message: 'etcdserver: server stopped' },
  Timeout: { status: S.UNAVAILABLE, message: 'etcdserver: request timed out' },
  TimeoutDueToLeaderFail: {
    status: S.UNAVAILABLE,
    message: 'etcdserver: request timed out, possibly due to previous leader failure',
  },
  TimeoutDueToConnectionLost: {
    status: S.UNAVAILABLE,
    message: 'etcdserver: request timed out, possibly due to connection lost',
  },
  Unhealthy: { status: S.UNAVAILABLE, message: 'etcdserver: unhealthy cluster' },
  Corrupt: { status: S.DATA_LOSS, message: 'etcdserver: corrupt cluster' },
  MemberExist: { status: S.FAILED_PRECONDITION, message: 'etcdserver: member ID already exist' },
  PeerUrlExist: {
    status: S.FAILED_PRECONDITION,
    message: 'etcdserver: Peer URLs already exists',
  },
  MemberNotEnoughStarted: {
    status: S.UNKNOWN,
    message: 'etcdserver: re-configuration failed due to not enough started members',
  },
  MemberBadUrls: {
    status: S.INVALID_ARGUMENT,
    message: 'etcdserver: given member URLs are invalid',
  },
  MemberNotLearner: {
    status: S.FAILED_PRECONDITION,
    message: 'etcdserver: can only promote a learner member',
  },
  LearnerNotReady: {
    status: S.FAILED_PRECONDITION,
    message: 'etcdserver: can only promote a learner member which is in sync with leader',
  },
  TooManyLearners: {
    status: S.FAILED_PRECONDITION,
    message: 'etcdserver: too many learner members in cluster',
  },
  NotSupportedForLearner: {
    status: S.UNAVAILABLE,
    message: 'etcdserver: rpc not supported for learner',
  },
  MemberNotFound: { status: S.NOT_FOUND, message: 'etcdserver: member not found' },
  NotImplemented: { status: S.UNIMPLEMENTED, message: 'etcdserver: not implemented' },
  BadLeaderTransferee: {
    status: S.FAILED_PRECONDITION,
    message: 'etcdserver: bad leader transferee',
  },
};

type MappedCode = NodeErrorCode | ApiErrorCode;

function isMappedCode(code: string): code is MappedCode {
  return Object.hasOwn(GRPC_ERRORS, code);
}

export function grpcError(code: MappedCode): GrpcError {
  return GRPC_ERRORS[code];
}

/** An error that the API throws itself, with etcd's message. */
export function apiError(code: MappedCode): CodedError<MappedCode> {
  return new CodedError(code, GRPC_ERRORS[code].message);
}

/** Maps coded errors; anything else is a defect, which the transport logs and answers INTERNAL. */
export function toRpcError(error: unknown): unknown {
  if (error instanceof CodedError && isMappedCode(error.code)) {
    const { status, message } = GRPC_ERRORS[error.code];
    return new RpcError(status, message, { cause: error });
  }
  return error;
}
