import { status as GrpcStatus, Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { toRemoteError, withUnknownOutcome } from './errors.ts';

const context = { endpoint: '10.0.0.1:2379', method: 'Put' };

function serviceError(code: GrpcStatus, details: string) {
  return Object.assign(new Error(`${code}: ${details}`), {
    code,
    details,
    metadata: new Metadata(),
  });
}

const REFUSED =
  'No connection established. Last error: Error: connect ECONNREFUSED 10.0.0.1:2379. Resolution note: ';

describe('toRemoteError', () => {
  it.each([
    [GrpcStatus.UNAVAILABLE, REFUSED, 'Unavailable', 'unsent', true],
    [
      GrpcStatus.UNAVAILABLE,
      'Name resolution failed for target dns:x:1',
      'Unavailable',
      'unsent',
      true,
    ],
    [GrpcStatus.UNAVAILABLE, 'Connection dropped', 'Unavailable', 'unknown', true],
    [GrpcStatus.UNAVAILABLE, 'read ECONNRESET', 'Unavailable', 'unknown', true],
    [GrpcStatus.UNAVAILABLE, 'Stream refused by server', 'Unavailable', 'unsent', true],
    [GrpcStatus.UNAVAILABLE, 'etcdserver: no leader', 'NoLeader', 'unsent', true],
    [GrpcStatus.UNAVAILABLE, 'etcdserver: leader changed', 'NoLeader', 'unknown', true],
    [GrpcStatus.UNAVAILABLE, 'etcdserver: request timed out', 'Timeout', 'unknown', true],
    [
      GrpcStatus.DEADLINE_EXCEEDED,
      'Deadline exceeded after 5s,LB pick: 5s',
      'Timeout',
      'unsent',
      true,
    ],
    [
      GrpcStatus.DEADLINE_EXCEEDED,
      'Deadline exceeded after 5s,remote_addr=x',
      'Timeout',
      'unknown',
      true,
    ],
    [
      GrpcStatus.RESOURCE_EXHAUSTED,
      'etcdserver: mvcc: database space exceeded',
      'NoSpace',
      'refused',
      false,
    ],
    [
      GrpcStatus.RESOURCE_EXHAUSTED,
      'Received message larger than max (5 vs 4)',
      'TooLarge',
      'refused',
      false,
    ],
    [GrpcStatus.INVALID_ARGUMENT, 'etcdserver: request is too large', 'TooLarge', 'refused', false],
    [
      GrpcStatus.OUT_OF_RANGE,
      'etcdserver: mvcc: required revision has been compacted',
      'Compacted',
      'refused',
      false,
    ],
    [
      GrpcStatus.OUT_OF_RANGE,
      'etcdserver: mvcc: required revision is a future revision',
      'InvalidArgument',
      'refused',
      false,
    ],
    [GrpcStatus.NOT_FOUND, 'etcdserver: requested lease not found', 'NotFound', 'refused', false],
    [
      GrpcStatus.FAILED_PRECONDITION,
      'etcdserver: lease already exists',
      'AlreadyExists',
      'refused',
      false,
    ],
    [
      GrpcStatus.PERMISSION_DENIED,
      'etcdserver: permission denied',
      'PermissionDenied',
      'refused',
      false,
    ],
    [
      GrpcStatus.INVALID_ARGUMENT,
      'etcdserver: user name is empty',
      'Unauthenticated',
      'refused',
      false,
    ],
    [GrpcStatus.UNIMPLEMENTED, 'unknown service', 'Unsupported', 'refused', false],
    [GrpcStatus.CANCELLED, 'Cancelled on client', 'Cancelled', 'unknown', false],
    [GrpcStatus.UNKNOWN, 'who knows', 'Internal', 'unknown', false],
  ] as const)('%i %s', (code, details, expected, outcome, elsewhere) => {
    const error = toRemoteError(serviceError(code, details), context);
    expect([error.code, error.outcome, error.elsewhere]).toEqual([expected, outcome, elsewhere]);
    expect(error.message).not.toMatch(/^etcdserver|Last error/);
  });

  it('names the endpoint and asks whether the node runs when a connection is refused', () => {
    const error = toRemoteError(serviceError(GrpcStatus.UNAVAILABLE, REFUSED), context);
    expect(error.message).toBe('cannot connect to 10.0.0.1:2379: connection refused');
    expect(error.hint).toContain('Is the node running');
  });

  it('points to the Storage view when the quota is reached', () => {
    const details = 'etcdserver: mvcc: database space exceeded';
    const error = toRemoteError(serviceError(GrpcStatus.RESOURCE_EXHAUSTED, details), context);
    expect(error.hint).toContain('Storage view');
  });

  it('says of a write without an answer that it may have happened', () => {
    const lost = toRemoteError(serviceError(GrpcStatus.UNAVAILABLE, 'Connection dropped'), context);
    expect(withUnknownOutcome(lost).message).toMatch(/may or may not have been applied$/);
    expect(withUnknownOutcome(lost).code).toBe('Unavailable');
  });

  it('takes what is no gRPC error as Internal', () => {
    expect(toRemoteError(new TypeError('x'), context)).toMatchObject({
      code: 'Internal',
      message: 'x',
    });
  });
});
