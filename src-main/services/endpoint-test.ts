import { CodedError, errorMessage } from '../base/errors.ts';
import type { EndpointTest } from '../contract/views.ts';
import { EtcdConnection } from '../remote/connection.ts';

const TIMEOUT_MS = 3_000;

/** Whether each endpoint answers as an etcd does, before a cluster is added. */
export async function testEndpoints(endpoints: readonly string[]): Promise<EndpointTest[]> {
  return Promise.all(endpoints.map(testEndpoint));
}

async function testEndpoint(endpoint: string): Promise<EndpointTest> {
  const failed = { endpoint, ok: false, version: null, latencyMs: null } as const;
  try {
    const etcd = new EtcdConnection([endpoint]);
    try {
      await etcd.status(endpoint, { timeoutMs: TIMEOUT_MS });
      // The first call also made the connection; the second measures the way there and back.
      const startedAtMs = performance.now();
      const { version } = await etcd.status(endpoint, { timeoutMs: TIMEOUT_MS });
      const latencyMs = performance.now() - startedAtMs;
      return { endpoint, ok: true, version, latencyMs, error: null, hint: null };
    } finally {
      etcd.dispose();
    }
  } catch (error) {
    const hint = error instanceof CodedError ? (error.hint ?? null) : null;
    return { ...failed, error: errorMessage(error), hint };
  }
}
