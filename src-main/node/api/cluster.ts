import {
  ClusterService,
  type MemberAddRequest,
  type MemberAddResponse,
  type MemberListRequest,
  type MemberListResponse,
  type MemberPromoteRequest,
  type MemberPromoteResponse,
  type MemberRemoveRequest,
  type MemberRemoveResponse,
  type MemberUpdateRequest,
  type MemberUpdateResponse,
  type ResponseHeader,
} from '../../proto/etcd/rpc.ts';
import { type CallContext, type ServiceImplementation, unary } from '../rpc/service.ts';
import type { Backend } from './backend.ts';
import type { Guard } from './guard.ts';

export function clusterService(backend: Backend, guard: Guard): ServiceImplementation {
  const cluster = new ClusterApi(backend);
  return {
    name: 'etcdserverpb.Cluster',
    methods: [
      unary(
        ClusterService.memberList,
        guard.unary((request, context) => cluster.list(request, context)),
      ),
      unary(
        ClusterService.memberAdd,
        guard.unary((request, context) => cluster.add(request, context)),
      ),
      unary(
        ClusterService.memberRemove,
        guard.unary((request, context) => cluster.remove(request, context)),
      ),
      unary(
        ClusterService.memberUpdate,
        guard.unary((request) => cluster.update(request)),
      ),
      unary(
        ClusterService.memberPromote,
        guard.unary((request, context) => cluster.promote(request, context)),
      ),
    ],
  };
}

class ClusterApi {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async list(
    { linearizable }: MemberListRequest,
    { signal }: CallContext,
  ): Promise<MemberListResponse> {
    if (linearizable) await this.#backend.linearizableRead(signal);
    return { header: this.#header(), members: this.#backend.members() };
  }

  async add(
    { peerURLs, isLearner }: MemberAddRequest,
    { signal }: CallContext,
  ): Promise<MemberAddResponse> {
    const member = await this.#backend.memberAdd(peerURLs, isLearner, signal);
    return { header: this.#header(), member, members: this.#backend.members() };
  }

  async remove(
    { ID }: MemberRemoveRequest,
    { signal }: CallContext,
  ): Promise<MemberRemoveResponse> {
    await this.#backend.memberRemove(ID, signal);
    return { header: this.#header(), members: this.#backend.members() };
  }

  async update({ ID, peerURLs }: MemberUpdateRequest): Promise<MemberUpdateResponse> {
    await this.#backend.memberUpdate(ID, peerURLs);
    return { header: this.#header(), members: this.#backend.members() };
  }

  async promote(
    { ID }: MemberPromoteRequest,
    { signal }: CallContext,
  ): Promise<MemberPromoteResponse> {
    await this.#backend.memberPromote(ID, signal);
    return { header: this.#header(), members: this.#backend.members() };
  }

  /** etcd's answers about members carry no revision: membership has none. */
  #header(): ResponseHeader {
    return { ...this.#backend.header(), revision: 0 };
  }
}
