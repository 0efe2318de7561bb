import { describe, expect, it } from 'vitest';
import { CodedError } from '../../base/errors.ts';
import { NODE_ERROR_CODES } from '../apply/types.ts';
import { RpcError, RpcStatus } from '../rpc/status.ts';
import { API_ERROR_CODES, apiError, toRpcError } from './errors.ts';

/** etcd's own table has a code for these, but it gets lost on the way to the wire. */
const WITHOUT_CODE = new Set<string>(['TooManyRequests', 'MemberNotEnoughStarted']);

describe('the table of errors', () => {
  it.each([...NODE_ERROR_CODES, ...API_ERROR_CODES])('maps %s', (code) => {
    const mapped = toRpcError(new CodedError(code, 'internal wording'));
    expect(mapped).toBeInstanceOf(RpcError);
    const { status, message } = mapped as RpcError;
    expect(message).toMatch(/^etcdserver: \S/);
    expect([RpcStatus.OK, RpcStatus.INTERNAL]).not.toContain(status);
    expect(status === RpcStatus.UNKNOWN).toBe(WITHOUT_CODE.has(code));
    expect(apiError(code)).toMatchObject({ code, message });
  });

  it('gives each code a message of its own, for clients tell them apart by it', () => {
    const codes = [...NODE_ERROR_CODES, ...API_ERROR_CODES];
    expect(new Set(codes.map((code) => apiError(code).message)).size).toBe(codes.length);
  });

  it('leaves alone what it does not know', () => {
    for (const error of [
      new Error('x'),
      new CodedError('PortInUse', 'x'),
      new CodedError('toString', 'x'),
      undefined,
    ]) {
      expect(toRpcError(error)).toBe(error);
    }
  });
});
