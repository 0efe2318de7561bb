import { expect, it } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import {
  ClusterService,
  KVService,
  LeaseService,
  MaintenanceService,
  WatchService,
} from '../../proto/etcd/rpc.ts';
import { ElectionService } from '../../proto/etcd/v3election.ts';
import { LockService } from '../../proto/etcd/v3lock.ts';
import { HealthService } from '../../proto/grpc/health.ts';
import { createServices } from './services.ts';
import { TestBackend } from './testing/backend.ts';
import { TestClock } from './testing/call.ts';

interface MethodShape {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
}

it('implements every method of every service, as the kind that it is', () => {
  const services = createServices(new TestBackend(), {
    logger: silentLogger,
    clock: new TestClock(),
  });
  const implemented = services.flatMap(({ name, methods }) => {
    for (const { path } of methods) expect(path.startsWith(`/${name}/`)).toBe(true);
    return methods.map(({ path, kind }) => `${path} ${kind}`);
  });
  const defined = [
    KVService,
    WatchService,
    LeaseService,
    ClusterService,
    MaintenanceService,
    LockService,
    ElectionService,
    HealthService,
  ]
    .flatMap((service): readonly MethodShape[] => Object.values(service))
    .map(({ path, requestStream, responseStream }) => {
      const kind = requestStream ? 'bidi' : responseStream ? 'serverStream' : 'unary';
      return `${path} ${kind}`;
    });
  expect(implemented.sort()).toEqual(defined.sort());
});
