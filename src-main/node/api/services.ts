import type { ServiceImplementation } from '../rpc/service.ts';
import type { Backend } from './backend.ts';
import { clusterService } from './cluster.ts';
import type { ApiDeps } from './deps.ts';
import { Guard } from './guard.ts';
import { healthService } from './health.ts';
import { kvService } from './kv.ts';
import { leaseService } from './lease.ts';
import { maintenanceService } from './maintenance.ts';
import { watchService } from './watch.ts';

/** The gRPC services that etcd serves, over a node. */
export function createServices(backend: Backend, deps: ApiDeps): ServiceImplementation[] {
  const guard = new Guard(backend, deps);
  return [
    kvService(backend, guard),
    watchService(backend, guard, deps),
    leaseService(backend, guard),
    clusterService(backend, guard),
    maintenanceService(backend, guard),
    healthService(),
  ];
}
