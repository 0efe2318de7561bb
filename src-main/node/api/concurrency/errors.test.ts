import { describe, expect, it } from 'vitest';
import { NODE_ERROR_CODES } from '../../apply/types.ts';
import { RpcError, RpcStatus } from '../../rpc/status.ts';
import { apiError } from '../errors.ts';
import { CONCURRENCY_ERROR_CODES, concurrencyError, withoutStatus } from './errors.ts';

const thrown = (error: unknown) =>
  withoutStatus(async () => {
    throw error;
  });

describe('errors of locks and elections', () => {
  it('have a message of their own each', () => {
    const messages = CONCURRENCY_ERROR_CODES.map((code) => concurrencyError(code).message);
    expect(new Set(messages).size).toBe(CONCURRENCY_ERROR_CODES.length);
  });

  it.each([...CONCURRENCY_ERROR_CODES.map(concurrencyError), ...NODE_ERROR_CODES.map(apiError)])(
    'lose their status: $code',
    async (error) => {
      const expected = { status: RpcStatus.UNKNOWN, message: error.message };
      await expect(thrown(error)).rejects.toBeInstanceOf(RpcError);
      await expect(thrown(error)).rejects.toMatchObject(expected);
    },
  );

  it('keep it where a handler chose it, and defects stay what they are', async () => {
    const chosen = new RpcError(RpcStatus.CANCELLED, 'x');
    await expect(thrown(chosen)).rejects.toBe(chosen);
    const defect = new TypeError('x');
    await expect(thrown(defect)).rejects.toBe(defect);
  });
});
