import { InspectService } from '../../proto/raftdeck/inspect.ts';
import { type ServiceImplementation, unary } from '../rpc/service.ts';
import type { InspectBackend } from './backend.ts';
import { faultLabService } from './fault-lab.ts';

/**
 * Our own service, beside etcd's: what a window onto a cluster shows of Raft. It answers in every state of the member,
 * learners and leaderless ones above all.
 */
function inspectService(backend: InspectBackend): ServiceImplementation {
  return {
    name: 'raftdeck.inspect.Inspect',
    methods: [
      unary(InspectService.raft, async ({ afterEvent }) => backend.inspectRaft(afterEvent)),
    ],
  };
}

/** The services of ours, beside etcd's. */
export function createOwnServices(backend: InspectBackend): ServiceImplementation[] {
  const { faults } = backend;
  return [inspectService(backend), ...(faults === undefined ? [] : [faultLabService(faults)])];
}
