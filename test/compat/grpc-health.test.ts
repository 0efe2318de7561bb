import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { expect } from 'vitest';
import type { HealthCheckResponse } from '../../src-main/proto/grpc/health.ts';
import { HealthClient } from '../../src-main/remote/clients.ts';
import { until } from '../support/cluster.ts';
import { compatSuite } from './support/compat.ts';
import { call, failure } from './support/grpc.ts';
import type { Target } from './support/targets.ts';

const SERVING = { status: 1 };
const SERVICE_UNKNOWN = { status: 3 };

async function withHealth<T>(target: Target, run: (health: HealthClient) => Promise<T>) {
  const health = new HealthClient(target.address, credentials.createInsecure());
  try {
    return await run(health);
  } finally {
    health.close();
  }
}

function check(health: HealthClient, service: string): Promise<HealthCheckResponse> {
  return call((...rest) => health.check({ service }, ...rest));
}

/** The first answer of a Watch, and what the call ended with after it was cancelled. */
async function watchOnce(health: HealthClient, service: string) {
  const received: HealthCheckResponse[] = [];
  let ended: number | undefined;
  const stream = health.watch({ service }, new Metadata());
  stream.on('data', (response: HealthCheckResponse) => received.push(response));
  stream.on('error', (error: ServiceError) => {
    ended = error.code;
  });
  await until(`the health of "${service}"`, () => received.length > 0 || undefined);
  // A second call over the same connection: were the stream to end by itself, it would by now.
  await check(health, '');
  const endedByItself = ended;
  stream.cancel();
  const code = await until('the end of the stream', () => ended);
  return { received, endedByItself, code };
}

compatSuite('Health over gRPC', [], (compat) => {
  compat('health: the server as a whole serves', (target) =>
    withHealth(target, async (health) => {
      const answer = await check(health, '');
      expect(answer).toEqual(SERVING);
      return answer;
    }),
  );

  compat('health: no service is known by name', (target) =>
    withHealth(target, async (health) => {
      const errors = [
        await failure(check(health, 'etcdserverpb.KV')),
        await failure(check(health, 'none')),
      ];
      expect(errors[0]).toEqual({ code: status.NOT_FOUND, message: 'unknown service' });
      return errors;
    }),
  );

  compat('health: a watch says how it is and stays open', (target) =>
    withHealth(target, async (health) => {
      const watches = [await watchOnce(health, ''), await watchOnce(health, 'none')];
      expect(watches.map(({ received }) => received)).toEqual([[SERVING], [SERVICE_UNKNOWN]]);
      expect(watches.map(({ endedByItself }) => endedByItself)).toEqual([undefined, undefined]);
      return watches;
    }),
  );
});
