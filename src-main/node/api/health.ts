import {
  HealthService,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../proto/grpc/health.ts';
import { type ServiceImplementation, serverStream, unary } from '../rpc/service.ts';
import { RpcError, RpcStatus } from '../rpc/status.ts';
import { callEnd } from './guard.ts';

/** The name of the server as a whole: the only one that etcd registers. */
const WHOLE_SERVER = '';

/**
 * The standard health service of gRPC, as grpc-go's health server answers it for etcd. Load
 * balancers and probes ask it, so it answers without the guard of the other services: that a
 * request would be refused at the moment is no reason to take the member out of service.
 */
export function healthService(): ServiceImplementation {
  return {
    name: 'grpc.health.v1.Health',
    methods: [
      unary(HealthService.check, async ({ service }) => {
        if (service !== WHOLE_SERVER) throw new RpcError(RpcStatus.NOT_FOUND, 'unknown service');
        return { status: ServingStatus.SERVING };
      }),
      serverStream(HealthService.watch, async ({ service }, responses, { signal }) => {
        // A service may be registered later, so the stream of an unknown one stays open as well.
        const known = service === WHOLE_SERVER;
        responses.write({ status: known ? ServingStatus.SERVING : ServingStatus.SERVICE_UNKNOWN });
        await callEnd(signal);
        throw new RpcError(RpcStatus.CANCELLED, 'Stream has ended.');
      }),
    ],
  };
}
