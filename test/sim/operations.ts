import { idToHex } from '../../src-main/base/bytes.ts';
import type { UnaryDescriptor } from '../../src-main/node/rpc/service.ts';
import {
  AlarmRequest_AlarmAction,
  AlarmType,
  ClusterService,
  Compare_CompareResult,
  Compare_CompareTarget,
  KVService,
  LeaseKeepAliveRequest,
  LeaseService,
  MaintenanceService,
  PutRequest,
  RangeRequest,
  type RequestOp,
  type ResponseOp,
  TxnRequest,
  type TxnResponse,
} from '../../src-main/proto/etcd/rpc.ts';
import type {
  Administer,
  AlarmDisarm,
  Append,
  Cas,
  Compact,
  Defragment,
  Delete,
  Get,
  History,
  LeaseGrant,
  LeaseKeepAlive,
  LeaseRevoke,
  LeaseTimeToLive,
  Operation,
  Outcome,
  Put,
  Range,
  Txn,
  TxnCompare,
  TxnStep,
  TxnStepOutput,
} from './history.ts';
import { type ClientCodec, failed, type SimClient } from './sim-client.ts';
import type { SimMember } from './sim-member.ts';
import { toKeyValue } from './sim-watch.ts';

/** What a client waits for an answer. */
const TIMEOUT_MS = 8_000;

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const leaseId = (hex: string): bigint => BigInt(`0x${hex}`);

interface WithHeader {
  header?: { revision: number } | undefined;
}

/** Every kind of call, made and written into the history. */
export class Operations {
  readonly #history: History;
  readonly #client: SimClient;

  constructor(history: History, client: SimClient) {
    this.#history = history;
    this.#client = client;
  }

  put(member: SimMember, key: string, value: string, lease = '0'): Promise<Put> {
    const request = PutRequest.fromPartial({
      key: bytes(key),
      value: bytes(value),
      lease: leaseId(lease),
    });
    return this.#record<Put>(member, 'put', key, { value, lease }, async () =>
      map(await this.#call(member, KVService.put, request), revisionOf),
    );
  }

  get(member: SimMember, key: string, serializable: boolean, revision = 0): Promise<Get> {
    const request = RangeRequest.fromPartial({ key: bytes(key), serializable, revision });
    return this.#record<Get>(member, 'get', key, { serializable, revision }, async () =>
      map(await this.#call(member, KVService.range, request), (response) => ({
        ...revisionOf(response),
        kv: response.kvs[0] && toKeyValue(response.kvs[0]),
      })),
    );
  }

  range(
    member: SimMember,
    key: string,
    end: string,
    serializable: boolean,
    revision = 0,
  ): Promise<Range> {
    const request = RangeRequest.fromPartial({
      key: bytes(key),
      rangeEnd: bytes(end),
      serializable,
      revision,
    });
    const input = { end, serializable, revision };
    return this.#record<Range>(member, 'range', key, input, async () =>
      map(await this.#call(member, KVService.range, request), (response) => ({
        ...revisionOf(response),
        kvs: response.kvs.map(toKeyValue),
        count: response.count,
      })),
    );
  }

  delete(member: SimMember, key: string): Promise<Delete> {
    const request = { key: bytes(key), rangeEnd: Buffer.alloc(0), prevKv: false };
    return this.#record<Delete>(member, 'delete', key, {}, async () =>
      map(await this.#call(member, KVService.deleteRange, request), (response) => ({
        ...revisionOf(response),
        deleted: response.deleted,
      })),
    );
  }

  cas(member: SimMember, key: string, expectedModRevision: number, value: string): Promise<Cas> {
    const input = { expectedModRevision, value };
    return this.#record<Cas>(member, 'cas', key, input, () =>
      this.#putIfAt(member, key, expectedModRevision, value),
    );
  }

  append(
    member: SimMember,
    key: string,
    expectedModRevision: number,
    item: string,
    value: string,
  ): Promise<Append> {
    const input = { item, expectedModRevision, value };
    return this.#record<Append>(member, 'append', key, input, () =>
      this.#putIfAt(member, key, expectedModRevision, value),
    );
  }

  txn(
    member: SimMember,
    compares: TxnCompare[],
    success: TxnStep[],
    failure: TxnStep[],
  ): Promise<Txn> {
    const request = txnRequest(compares, success, failure);
    return this.#record<Txn>(member, 'txn', '', { compares, success, failure }, async () =>
      map(await this.#call(member, KVService.txn, request), (response) => ({
        ...revisionOf(response),
        succeeded: response.succeeded,
        steps: response.responses.map(stepOutput),
      })),
    );
  }

  leaseGrant(member: SimMember, lease: string, ttlSeconds: number): Promise<LeaseGrant> {
    const request = { ID: leaseId(lease), TTL: ttlSeconds };
    return this.#record<LeaseGrant>(member, 'leaseGrant', '', { lease, ttlSeconds }, async () =>
      map(await this.#call(member, LeaseService.leaseGrant, request), (response) => ({
        ...revisionOf(response),
        ttlSeconds: response.TTL,
      })),
    );
  }

  leaseRevoke(member: SimMember, lease: string): Promise<LeaseRevoke> {
    const request = { ID: leaseId(lease) };
    return this.#record<LeaseRevoke>(member, 'leaseRevoke', '', { lease }, async () =>
      map(await this.#call(member, LeaseService.leaseRevoke, request), revisionOf),
    );
  }

  leaseKeepAlive(member: SimMember, lease: string): Promise<LeaseKeepAlive> {
    const request = LeaseKeepAliveRequest.fromPartial({ ID: leaseId(lease) });
    return this.#record<LeaseKeepAlive>(member, 'leaseKeepAlive', '', { lease }, async () =>
      map(
        await this.#client.once(member, LeaseService.leaseKeepAlive, request, TIMEOUT_MS),
        (response) => ({ ...revisionOf(response), ttlSeconds: response.TTL }),
      ),
    );
  }

  leaseTimeToLive(member: SimMember, lease: string): Promise<LeaseTimeToLive> {
    const request = { ID: leaseId(lease), keys: true };
    return this.#record<LeaseTimeToLive>(member, 'leaseTimeToLive', '', { lease }, async () =>
      map(await this.#call(member, LeaseService.leaseTimeToLive, request), (response) => ({
        ...revisionOf(response),
        ttlSeconds: response.TTL,
        grantedTtlSeconds: response.grantedTTL,
        keys: response.keys.map((key) => key.toString('latin1')),
      })),
    );
  }

  compact(member: SimMember, revision: number, physical: boolean): Promise<Compact> {
    const request = { revision, physical };
    return this.#record<Compact>(member, 'compact', '', request, async () =>
      map(await this.#call(member, KVService.compact, request), revisionOf),
    );
  }

  defragment(member: SimMember): Promise<Defragment> {
    return this.#record<Defragment>(member, 'defragment', '', {}, async () =>
      map(await this.#call(member, MaintenanceService.defragment, {}), revisionOf),
    );
  }

  alarmDisarm(member: SimMember, about: string): Promise<AlarmDisarm> {
    const request = {
      action: AlarmRequest_AlarmAction.DEACTIVATE,
      memberID: leaseId(about),
      alarm: AlarmType.NOSPACE,
    };
    return this.#record<AlarmDisarm>(member, 'alarmDisarm', '', { member: about }, async () =>
      map(await this.#call(member, MaintenanceService.alarm, request), revisionOf),
    );
  }

  memberAdd(member: SimMember, peerUrl: string, isLearner: boolean): Promise<Administer> {
    const kind = isLearner ? 'memberAddLearner' : 'memberAdd';
    const request = { peerURLs: [peerUrl], isLearner };
    return this.#record<Administer>(member, kind, '', { member: '' }, async () =>
      map(await this.#call(member, ClusterService.memberAdd, request), (response) => ({
        ...revisionOf(response),
        member: idToHex(response.member?.ID ?? 0n),
      })),
    );
  }

  memberPromote(member: SimMember, id: string): Promise<Administer> {
    return this.#administer(member, 'memberPromote', id, ClusterService.memberPromote);
  }

  memberRemove(member: SimMember, id: string): Promise<Administer> {
    return this.#administer(member, 'memberRemove', id, ClusterService.memberRemove);
  }

  moveLeader(member: SimMember, id: string): Promise<Administer> {
    return this.#record<Administer>(member, 'moveLeader', '', { member: id }, async () => {
      const request = { targetID: leaseId(id) };
      const outcome = await this.#call(member, MaintenanceService.moveLeader, request);
      return map(outcome, () => ({ revision: 0, member: id }));
    });
  }

  #administer<Response extends WithHeader>(
    member: SimMember,
    kind: 'memberPromote' | 'memberRemove',
    id: string,
    method: UnaryDescriptor<{ ID: bigint }, Response> & ClientCodec<{ ID: bigint }, Response>,
  ): Promise<Administer> {
    return this.#record<Administer>(member, kind, '', { member: id }, async () =>
      map(await this.#call(member, method, { ID: leaseId(id) }), (response) => ({
        ...revisionOf(response),
        member: id,
      })),
    );
  }

  async #putIfAt(member: SimMember, key: string, modRevision: number, value: string) {
    const request = txnRequest(
      [{ key, modRevision }],
      [{ kind: 'put', key, value, lease: '0' }],
      [{ kind: 'get', key }],
    );
    return map(await this.#call(member, KVService.txn, request), (response: TxnResponse) => {
      const [step] = response.responses.map(stepOutput);
      return {
        ...revisionOf(response),
        succeeded: response.succeeded,
        kv: step?.kind === 'get' ? step.kv : undefined,
      };
    });
  }

  #call<Request, Response>(
    member: SimMember,
    method: UnaryDescriptor<Request, Response> & ClientCodec<Request, Response>,
    request: Request,
  ): Promise<Outcome<Response>> {
    return this.#client.call(member, method, request, TIMEOUT_MS);
  }

  /** Notes the call before it is made, so that one that never returns is in the history, too. */
  async #record<O extends Operation>(
    member: SimMember,
    kind: O['kind'],
    key: string,
    input: O['input'],
    run: () => Promise<O['outcome']>,
  ): Promise<O> {
    const { world } = this.#client;
    const operation = {
      id: this.#history.operations.length,
      kind,
      client: this.#client.id,
      member: member.name,
      key,
      input,
      outcome: failed('ClientTimeout'),
      invokedMs: world.nowMs,
      returnedMs: Number.POSITIVE_INFINITY,
    } as unknown as O;
    this.#history.operations.push(operation);
    operation.outcome = await run();
    operation.returnedMs = world.nowMs;
    return operation;
  }
}

function map<From, To>(outcome: Outcome<From>, to: (output: From) => To): Outcome<To> {
  return outcome.ok ? { ok: true, output: to(outcome.output) } : outcome;
}

function revisionOf({ header }: WithHeader): { revision: number } {
  return { revision: header?.revision ?? 0 };
}

function txnRequest(compares: TxnCompare[], success: TxnStep[], failure: TxnStep[]): TxnRequest {
  return TxnRequest.fromPartial({
    compare: compares.map(({ key, modRevision }) => ({
      key: bytes(key),
      result: Compare_CompareResult.EQUAL,
      target: Compare_CompareTarget.MOD,
      targetUnion: { $case: 'modRevision', value: modRevision },
    })),
    success: success.map(toOp),
    failure: failure.map(toOp),
  });
}

function toOp(step: TxnStep): RequestOp {
  const key = bytes(step.key);
  if (step.kind === 'get') {
    const { revision = 0 } = step;
    return {
      request: { $case: 'requestRange', value: RangeRequest.fromPartial({ key, revision }) },
    };
  }
  if (step.kind === 'delete') {
    const value = { key, rangeEnd: Buffer.alloc(0), prevKv: false };
    return { request: { $case: 'requestDeleteRange', value } };
  }
  const put = { key, value: bytes(step.value), lease: leaseId(step.lease) };
  return { request: { $case: 'requestPut', value: PutRequest.fromPartial(put) } };
}

function stepOutput({ response }: ResponseOp): TxnStepOutput {
  if (response?.$case === 'responseRange') {
    const [kv] = response.value.kvs;
    return { kind: 'get', kv: kv && toKeyValue(kv) };
  }
  if (response?.$case === 'responseDeleteRange') {
    return { kind: 'delete', deleted: response.value.deleted };
  }
  return { kind: 'put' };
}
