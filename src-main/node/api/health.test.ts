import { describe, expect, it } from 'vitest';
import { HealthService } from '../../proto/grpc/health.ts';
import { RpcStatus } from '../rpc/status.ts';
import { TestBackend } from './testing/backend.ts';
import { TestCaller } from './testing/call.ts';

const SERVING = { status: 1 };
const SERVICE_UNKNOWN = { status: 3 };

function setUp() {
  const backend = new TestBackend();
  return { backend, caller: new TestCaller(backend) };
}

describe('health', () => {
  it('serves as a whole, and knows no service by name', async () => {
    const { caller } = setUp();
    expect(await caller.unary(HealthService.check, { service: '' })).toEqual(SERVING);
    const unknown = caller.unary(HealthService.check, { service: 'etcdserverpb.KV' });
    await expect(unknown).rejects.toMatchObject({
      status: RpcStatus.NOT_FOUND,
      message: 'unknown service',
    });
  });

  it('answers where the other services refuse', async () => {
    const { backend, caller } = setUp();
    backend.currentStatus = { ...backend.currentStatus, leader: 0n };
    const check = caller.unary(HealthService.check, { service: '' }, { hasleader: 'true' });
    expect(await check).toEqual(SERVING);
    expect(backend.asked).toEqual([]);
  });

  it.each([
    ['', SERVING],
    ['none', SERVICE_UNKNOWN],
  ])(
    'watched as "%s" it answers at once and stays until the call ends',
    async (service, status) => {
      const { caller } = setUp();
      const stream = caller.serverStream(HealthService.watch, { service });
      expect(stream.received).toEqual([status]);
      stream.cancel();
      await expect(stream.ended).rejects.toMatchObject({ status: RpcStatus.CANCELLED });
      expect(stream.received).toHaveLength(1);
    },
  );
});
