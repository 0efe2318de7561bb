import {
  ClusterService,
  type MemberListRequest,
  type MemberListResponse,
} from '../../proto/etcd/rpc.ts';
import { type CallContext, type ServiceImplementation, unary } from '../rpc/service.ts';
import type { Backend } from './backend.ts';
import { apiError } from './errors.ts';
import type { Guard } from './guard.ts';

export function clusterService(backend: Backend, guard: Guard): ServiceImplementation {
  const change = guard.unary(memberChangesUnavailable);
  return {
    name: 'etcdserverpb.Cluster',
    methods: [
      unary(
        ClusterService.memberList,
        guard.unary((request, context) => memberList(backend, request, context)),
      ),
      unary(ClusterService.memberAdd, change),
      unary(ClusterService.memberRemove, change),
      unary(ClusterService.memberUpdate, change),
      unary(ClusterService.memberPromote, change),
    ],
  };
}

async function memberList(
  backend: Backend,
  { linearizable }: MemberListRequest,
  { signal }: CallContext,
): Promise<MemberListResponse> {
  if (linearizable) await backend.linearizableRead(signal);
  // etcd's answers about members carry no revision: membership has none.
  return { header: { ...backend.header(), revision: 0 }, members: backend.members() };
}

async function memberChangesUnavailable(): Promise<never> {
  throw apiError('NotImplemented');
}
