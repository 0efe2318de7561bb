import type { ServiceImplementation } from '../rpc/service.ts';
import type { Backend } from './backend.ts';
import { clusterService } from './cluster.ts';
import { MAX_WAITING_CALLS, WaitingCalls } from './concurrency/waiting-calls.ts';
import type { ApiDeps } from './deps.ts';
import { electionService } from './election.ts';
import { Guard } from './guard.ts';
import { healthService } from './health.ts';
import { kvService } from './kv.ts';
import { leaseService } from './lease.ts';
import { lockService } from './lock.ts';
import { maintenanceService } from './maintenance.ts';
import { watchService } from './watch.ts';

/** The gRPC services that etcd serves, over a node. */
export function createServices(backend: Backend, deps: ApiDeps): ServiceImplementation[] {
  const guard = new Guard(backend, deps);
  const waiting = new WaitingCalls(MAX_WAITING_CALLS, deps.stopping);
  return [
    kvService(backend, guard),
    watchService(backend, guard, deps),
    leaseService(backend, guard),
    clusterService(backend, guard),
    maintenanceService(backend, guard),
    lockService(backend, guard, deps, waiting),
    electionService(backend, guard, deps, waiting),
    healthService(),
  ];
}
