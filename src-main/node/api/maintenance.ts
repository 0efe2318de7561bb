import {
  type AlarmRequest,
  AlarmRequest_AlarmAction,
  type AlarmResponse,
  AlarmType,
  type DefragmentResponse,
  MaintenanceService,
  type MoveLeaderRequest,
  type MoveLeaderResponse,
  type StatusResponse,
} from '../../proto/etcd/rpc.ts';
import {
  type CallContext,
  type ServiceImplementation,
  serverStream,
  unary,
} from '../rpc/service.ts';
import type { Backend } from './backend.ts';
import { apiError } from './errors.ts';
import type { Guard } from './guard.ts';
import { hash, hashKv } from './hash.ts';
import { streamSnapshot } from './snapshot.ts';
import { ETCD_API_VERSION } from './version.ts';

export function maintenanceService(backend: Backend, guard: Guard): ServiceImplementation {
  const maintenance = new MaintenanceApi(backend);
  return {
    name: 'etcdserverpb.Maintenance',
    methods: [
      unary(
        MaintenanceService.status,
        guard.unary(
          async () => maintenance.status(),
          () => true,
        ),
      ),
      unary(
        MaintenanceService.alarm,
        guard.unary((request, context) => maintenance.alarm(request, context)),
      ),
      unary(
        MaintenanceService.defragment,
        guard.unary(() => maintenance.defragment()),
      ),
      unary(
        MaintenanceService.moveLeader,
        guard.unary((request, context) => maintenance.moveLeader(request, context)),
      ),
      unary(
        MaintenanceService.hash,
        guard.unary((request, context) => hash(backend, request, context)),
      ),
      unary(
        MaintenanceService.hashKv,
        guard.unary((request, context) => hashKv(backend, request, context)),
      ),
      serverStream(
        MaintenanceService.snapshot,
        guard.serverStream((request, responses, context) =>
          streamSnapshot(backend, request, responses, context),
        ),
      ),
    ],
  };
}

class MaintenanceApi {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  status(): StatusResponse {
    const status = this.#backend.status();
    const size = this.#backend.size();
    return {
      header: this.#backend.header(),
      version: ETCD_API_VERSION,
      dbSize: size.fileBytes,
      dbSizeInUse: size.inUseBytes,
      leader: status.leader,
      raftIndex: status.commitIndex,
      raftTerm: status.raftTerm,
      raftAppliedIndex: status.appliedIndex,
      errors: status.errors,
      isLearner: status.isLearner,
    };
  }

  async alarm(request: AlarmRequest, { signal }: CallContext): Promise<AlarmResponse> {
    if (request.action === AlarmRequest_AlarmAction.GET) {
      await this.#backend.linearizableRead(signal);
      const wanted = request.alarm;
      const alarms = this.#backend.state
        .alarms()
        .filter(({ alarm }) => wanted === AlarmType.NONE || alarm === wanted);
      return { header: this.#backend.header(), alarms };
    }
    const { response } = await this.#backend.propose<'alarm'>(
      { $case: 'alarm', value: request },
      signal,
    );
    return { ...response, header: this.#backend.header() };
  }

  async defragment(): Promise<DefragmentResponse> {
    await this.#backend.defragment();
    // etcd's answer is empty.
    return { header: undefined };
  }

  /** Only the leader hands itself over, as in etcd; etcdctl asks each endpoint for it. */
  async moveLeader(
    { targetID }: MoveLeaderRequest,
    { signal }: CallContext,
  ): Promise<MoveLeaderResponse> {
    if (this.#backend.status().leader !== this.#backend.memberId) throw apiError('NotLeader');
    const target = this.#backend.members().find(({ ID }) => ID === targetID);
    if (target === undefined || target.isLearner) throw apiError('BadLeaderTransferee');
    await this.#backend.moveLeader(targetID, signal);
    // etcd's answer is empty.
    return { header: undefined };
  }
}
