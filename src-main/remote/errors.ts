/**
 * The one table from what etcd and grpc-js report to the codes that the renderer knows.
 * etcd's texts are those of api/v3rpc/rpctypes/error.go, the same from 3.4 to 3.6.
 */
import { status as GrpcStatus, type ServiceError } from '@grpc/grpc-js';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { ContractErrorCode } from '../contract/errors.ts';

/** Whether the server can have acted on the request that failed. */
export type Outcome =
  /** It was never sent, or refused before it was looked at: safe to send elsewhere. */
  | 'unsent'
  /** The server answered that it did not do it. */
  | 'refused'
  /** No answer came, or one that leaves it open: a write may have happened, or may still. */
  | 'unknown';

export interface CallContext {
  /** host:port as the user knows it. */
  endpoint: string;
  /** The RPC's name, e.g. Put. */
  method: string;
}

/** A failed call: a contract code and message, and what a caller must know to repeat it safely. */
export class RemoteError extends CodedError<ContractErrorCode> {
  readonly outcome: Outcome;
  readonly endpoint: string;
  /** Another endpoint may well answer. */
  readonly elsewhere: boolean;

  constructor(
    rule: { code: ContractErrorCode; outcome: Outcome; elsewhere: boolean; endpoint: string },
    message: string,
    options: { hint?: string; cause?: unknown } = {},
  ) {
    super(rule.code, message, options);
    this.outcome = rule.outcome;
    this.endpoint = rule.endpoint;
    this.elsewhere = rule.elsewhere;
  }
}

interface Rule {
  /** gRPC status; absent matches any. */
  status?: GrpcStatus;
  /** What the details must contain; absent matches any. */
  details?: RegExp;
  code: ContractErrorCode;
  outcome: Outcome;
  elsewhere?: boolean;
  /** Absent: the server's own words. */
  message?: (context: CallContext, details: string) => string;
  hint?: string;
}

const NODE_RUNNING = 'Is the node running, and are host and port right?';
const TLS_HINT = 'Check whether this endpoint is http:// or https://.';
const UNSENT = /^(No connection established|Name resolution failed|Stream refused by server)/;

/** First match wins. */
const RULES: readonly Rule[] = [
  // Words of etcd.
  {
    details: /required revision has been compacted/,
    code: 'Compacted',
    outcome: 'refused',
    message: () => 'this revision has been compacted away',
    hint: 'Read the current revision instead.',
  },
  {
    details: /required revision is a future revision/,
    code: 'InvalidArgument',
    outcome: 'refused',
    message: () => 'this revision does not exist yet',
  },
  {
    details: /database space exceeded/,
    code: 'NoSpace',
    outcome: 'refused',
    message: () => 'the database has reached its quota: the cluster refuses writes',
    hint: 'In the Storage view: compact, defragment each member, then disarm the NOSPACE alarm.',
  },
  {
    details: /request is too large|larger than max|message length too large/i,
    code: 'TooLarge',
    outcome: 'refused',
    message: (_, details) => `the message exceeds a size limit: ${details}`,
    hint: 'etcd takes requests of up to 1.5 MiB unless --max-request-bytes says otherwise.',
  },
  { details: /etcdserver: no leader/, code: 'NoLeader', outcome: 'unsent', elsewhere: true },
  { details: /etcdserver: not leader/, code: 'NoLeader', outcome: 'unsent', elsewhere: true },
  { details: /etcdserver: leader changed/, code: 'NoLeader', outcome: 'unknown', elsewhere: true },
  {
    details: /etcdserver: (request timed out|rpc error: request timed out)/,
    code: 'Timeout',
    outcome: 'unknown',
    elsewhere: true,
    message: ({ endpoint }, details) => `${endpoint}: ${plain(details)}`,
    hint: 'The cluster may have lost its quorum or be electing a leader.',
  },
  {
    details: /etcdserver: too many requests/,
    code: 'Unavailable',
    outcome: 'refused',
    message: ({ endpoint }) => `${endpoint} is overloaded: too many requests`,
  },
  { details: /requested lease not found/, code: 'NotFound', outcome: 'refused' },
  { details: /lease already exists/, code: 'AlreadyExists', outcome: 'refused' },
  { details: /too large lease TTL/, code: 'InvalidArgument', outcome: 'refused' },
  {
    details: /user name is empty|authentication failed|invalid auth token|auth.*not enabled/,
    code: 'Unauthenticated',
    outcome: 'refused',
    hint: 'This cluster wants a user name and a password.',
  },
  // Words of the transport.
  {
    status: GrpcStatus.UNAVAILABLE,
    details: /ECONNREFUSED/,
    code: 'Unavailable',
    outcome: 'unsent',
    elsewhere: true,
    message: ({ endpoint }) => `cannot connect to ${endpoint}: connection refused`,
    hint: NODE_RUNNING,
  },
  {
    status: GrpcStatus.UNAVAILABLE,
    details: /ENOTFOUND|EAI_AGAIN|Name resolution failed/,
    code: 'Unavailable',
    outcome: 'unsent',
    elsewhere: true,
    message: ({ endpoint }) => `cannot find the address of ${endpoint}`,
    hint: 'Check the host name and the DNS of this machine.',
  },
  {
    status: GrpcStatus.UNAVAILABLE,
    details: /wrong version number|packet length too long|EPROTO|SSL routines|certificate|CERT_/i,
    code: 'Unavailable',
    outcome: 'unsent',
    elsewhere: true,
    message: ({ endpoint }, details) => `no TLS connection to ${endpoint}: ${lastError(details)}`,
    hint: TLS_HINT,
  },
  {
    status: GrpcStatus.UNAVAILABLE,
    details: /^No connection established.*(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/s,
    code: 'Unavailable',
    outcome: 'unsent',
    elsewhere: true,
    message: ({ endpoint }, details) => `cannot reach ${endpoint}: ${lastError(details)}`,
    hint: 'Check the network between this machine and the endpoint.',
  },
  {
    status: GrpcStatus.UNAVAILABLE,
    details: UNSENT,
    code: 'Unavailable',
    outcome: 'unsent',
    elsewhere: true,
    message: ({ endpoint }, details) => `cannot connect to ${endpoint}: ${lastError(details)}`,
    hint: `${NODE_RUNNING} ${TLS_HINT}`,
  },
  {
    status: GrpcStatus.UNAVAILABLE,
    details: /Connection dropped|ECONNRESET|EPIPE|ETIMEDOUT|socket/i,
    code: 'Unavailable',
    outcome: 'unknown',
    elsewhere: true,
    message: ({ endpoint }) => `the connection to ${endpoint} broke`,
    hint: 'The node may have stopped.',
  },
  // Statuses.
  {
    status: GrpcStatus.DEADLINE_EXCEEDED,
    code: 'Timeout',
    outcome: 'unknown',
    elsewhere: true,
    message: ({ endpoint, method }) => `${endpoint} did not answer ${method} in time`,
    hint: 'The node may be paused, overloaded or cut off.',
  },
  {
    status: GrpcStatus.CANCELLED,
    code: 'Cancelled',
    outcome: 'unknown',
    message: ({ method }) => `${method} was cancelled`,
  },
  {
    status: GrpcStatus.UNIMPLEMENTED,
    code: 'Unsupported',
    outcome: 'refused',
    message: ({ endpoint, method }) => `${endpoint} does not offer ${method}`,
    hint: 'Is it an etcd v3 endpoint, of version 3.4 or later?',
  },
  { status: GrpcStatus.UNAVAILABLE, code: 'Unavailable', outcome: 'unknown', elsewhere: true },
  { status: GrpcStatus.INVALID_ARGUMENT, code: 'InvalidArgument', outcome: 'refused' },
  { status: GrpcStatus.NOT_FOUND, code: 'NotFound', outcome: 'refused' },
  { status: GrpcStatus.ALREADY_EXISTS, code: 'AlreadyExists', outcome: 'refused' },
  { status: GrpcStatus.FAILED_PRECONDITION, code: 'FailedPrecondition', outcome: 'refused' },
  { status: GrpcStatus.OUT_OF_RANGE, code: 'InvalidArgument', outcome: 'refused' },
  { status: GrpcStatus.PERMISSION_DENIED, code: 'PermissionDenied', outcome: 'refused' },
  { status: GrpcStatus.UNAUTHENTICATED, code: 'Unauthenticated', outcome: 'refused' },
  { status: GrpcStatus.RESOURCE_EXHAUSTED, code: 'Unavailable', outcome: 'unknown' },
  { code: 'Internal', outcome: 'unknown' },
];

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error;
}

/** Whatever a call threw, as an error of ours. */
export function toRemoteError(error: unknown, context: CallContext): RemoteError {
  if (error instanceof RemoteError) return error;
  if (!isServiceError(error)) {
    const rule = { code: 'Internal', outcome: 'unknown', elsewhere: false } as const;
    return new RemoteError({ ...rule, endpoint: context.endpoint }, errorMessage(error), {
      cause: error,
    });
  }
  const { code: status, details } = error;
  const rule = RULES.find(
    (r) => (r.status ?? status) === status && (r.details?.test(details) ?? true),
  ) as Rule;
  // Without a remote address the deadline passed while the call still waited for a connection.
  const waiting = status === GrpcStatus.DEADLINE_EXCEEDED && !details.includes('remote_addr=');
  const outcome = waiting || UNSENT.test(details) ? 'unsent' : rule.outcome;
  const message = rule.message?.(context, details) ?? plain(details);
  return new RemoteError(
    { code: rule.code, outcome, elsewhere: rule.elsewhere ?? false, endpoint: context.endpoint },
    message,
    { cause: error, ...(rule.hint === undefined ? {} : { hint: rule.hint }) },
  );
}

/** A write that may have happened: says so, so that nobody repeats it blindly. */
export function withUnknownOutcome(error: RemoteError): RemoteError {
  const { code, endpoint } = error;
  return new RemoteError(
    { code, outcome: 'unknown', elsewhere: false, endpoint },
    `${error.message}; the write may or may not have been applied`,
    { cause: error, hint: 'Look at the current state before you repeat it.' },
  );
}

function plain(details: string): string {
  const text = details.replace(/^etcdserver: /, '').trim();
  return text === '' ? 'the server gave no reason' : text;
}

/** grpc-js hides the reason at the end of a long sentence. */
function lastError(details: string): string {
  const reason = /Last error: (?:Error: )?([^\n]*?)(?:\. Resolution note:.*)?$/s.exec(details)?.[1];
  return (reason ?? details).slice(0, 200).replace(/\.\s*$/, '');
}
