import type { Disposable } from '../base/disposable.ts';
import { CodedError } from '../base/errors.ts';
import type { ContractErrorCode } from '../contract/errors.ts';
import {
  AlarmRequest,
  type AlarmResponse,
  ClusterService,
  CompactionRequest,
  type CompactionResponse,
  DefragmentRequest,
  DeleteRangeRequest,
  type DeleteRangeResponse,
  type HashKVResponse,
  KVService,
  LeaseGrantRequest,
  type LeaseGrantResponse,
  LeaseLeasesRequest,
  type LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseService,
  LeaseTimeToLiveRequest,
  type LeaseTimeToLiveResponse,
  MaintenanceService,
  MemberListRequest,
  type MemberListResponse,
  PutRequest,
  type PutResponse,
  RangeRequest,
  type RangeResponse,
  StatusRequest,
  type StatusResponse,
  TxnRequest,
  type TxnResponse,
} from '../proto/etcd/rpc.ts';
import {
  FaultGetRequest,
  FaultLabService,
  type FaultSet,
  InspectService,
  type RaftResponse,
} from '../proto/raftdeck/inspect.ts';
import { EndpointChannel, type Method, methodName, type SecurityOptions } from './channel.ts';
import { parseEndpoint } from './endpoint.ts';
import { type RemoteError, toRemoteError, withUnknownOutcome } from './errors.ts';

export interface ConnectionOptions {
  /** For one call with all its attempts. */
  timeoutMs?: number;
  /** How long a read waits for one endpoint while there are others to try. */
  attemptTimeoutMs?: number;
  security?: SecurityOptions;
}

export interface CallOptions {
  timeoutMs?: number;
  signal?: AbortSignal;
}

const DEFAULT_TIMEOUT_MS = 5_000;
const DEFAULT_ATTEMPT_TIMEOUT_MS = 1_500;
/** Compaction waits for the disk with `physical`, and a defragmentation rewrites the whole file. */
const MAINTENANCE_TIMEOUT_MS = 120_000;
/** Endpoints one call tries at most. */
const MAX_ATTEMPTS = 5;
/** For so long an endpoint that failed is asked last. */
const AVOID_MS = 3_000;

interface Slot {
  channel: EndpointChannel;
  /** performance.now() of the last failure; null since the last answer. */
  failedAtMs: number | null;
}

/**
 * A cluster, through any of its endpoints. Calls go round robin over those that answer. A read that
 * fails is sent to the next endpoint; a write only if it certainly was not processed. A write whose
 * answer was lost fails with a message that says so. Failures are RemoteError.
 */
export class EtcdConnection implements Disposable {
  readonly #options: ConnectionOptions;
  #slots = new Map<string, Slot>();
  #next = 0;
  #disposed = false;

  /** Throws InvalidArgument for what is no endpoint. */
  constructor(endpoints: readonly string[], options: ConnectionOptions = {}) {
    this.#options = options;
    this.setEndpoints(endpoints);
  }

  get endpoints(): string[] {
    return [...this.#slots.keys()];
  }

  /** Keeps the connections to endpoints that stay. */
  setEndpoints(endpoints: readonly string[]): void {
    const kept = new Map<string, Slot>();
    for (const text of endpoints) {
      const endpoint = parseEndpoint(text);
      kept.set(endpoint.url, this.#slots.get(endpoint.url) ?? this.#newSlot(endpoint.url));
    }
    for (const [url, slot] of this.#slots) if (!kept.has(url)) slot.channel.dispose();
    this.#slots = kept;
  }

  /** Endpoints in the order in which a new call or stream should try them. */
  candidates(): EndpointChannel[] {
    this.#assertOpen();
    const slots = [...this.#slots.values()];
    const start = this.#next++ % Math.max(1, slots.length);
    const turned = [...slots.slice(start), ...slots.slice(0, start)];
    const now = performance.now();
    const avoid = (slot: Slot) => slot.failedAtMs !== null && now - slot.failedAtMs < AVOID_MS;
    const good = turned.filter((slot) => !avoid(slot));
    const bad = turned.filter(avoid).sort((a, b) => (a.failedAtMs ?? 0) - (b.failedAtMs ?? 0));
    return [...good, ...bad].map((slot) => slot.channel);
  }

  /** What a stream learned of an endpoint, so that the next call knows it too. */
  report(channel: EndpointChannel, answered: boolean): void {
    const slot = this.#slots.get(channel.endpoint.url);
    if (slot?.channel === channel) slot.failedAtMs = answered ? null : performance.now();
  }

  range(request: Partial<RangeRequest>, options?: CallOptions): Promise<RangeResponse> {
    return this.#read(KVService.range, { ...RangeRequest.create(), ...request }, options);
  }

  put(request: Partial<PutRequest>, options?: CallOptions): Promise<PutResponse> {
    return this.#write(KVService.put, { ...PutRequest.create(), ...request }, options);
  }

  deleteRange(
    request: Partial<DeleteRangeRequest>,
    options?: CallOptions,
  ): Promise<DeleteRangeResponse> {
    const full = { ...DeleteRangeRequest.create(), ...request };
    return this.#write(KVService.deleteRange, full, options);
  }

  /** Counts as a write, whatever it holds. */
  txn(request: Partial<TxnRequest>, options?: CallOptions): Promise<TxnResponse> {
    return this.#write(KVService.txn, { ...TxnRequest.create(), ...request }, options);
  }

  compact(request: CompactionRequest, options?: CallOptions): Promise<CompactionResponse> {
    const full = { ...CompactionRequest.create(), ...request };
    return this.#write(KVService.compact, full, { timeoutMs: MAINTENANCE_TIMEOUT_MS, ...options });
  }

  leaseGrant(request: LeaseGrantRequest, options?: CallOptions): Promise<LeaseGrantResponse> {
    const full = { ...LeaseGrantRequest.create(), ...request };
    return this.#write(LeaseService.leaseGrant, full, options);
  }

  async leaseRevoke(id: bigint, options?: CallOptions): Promise<void> {
    await this.#write(
      LeaseService.leaseRevoke,
      { ...LeaseRevokeRequest.create(), ID: id },
      options,
    );
  }

  leaseTimeToLive(
    id: bigint,
    keys: boolean,
    options?: CallOptions,
  ): Promise<LeaseTimeToLiveResponse> {
    const full = { ...LeaseTimeToLiveRequest.create(), ID: id, keys };
    return this.#read(LeaseService.leaseTimeToLive, full, options);
  }

  leases(options?: CallOptions): Promise<LeaseLeasesResponse> {
    return this.#read(LeaseService.leaseLeases, LeaseLeasesRequest.create(), options);
  }

  memberList(options?: CallOptions): Promise<MemberListResponse> {
    const request = { ...MemberListRequest.create(), linearizable: false };
    return this.#read(ClusterService.memberList, request, options, false);
  }

  /** Alarms in force. */
  alarms(options?: CallOptions): Promise<AlarmResponse> {
    return this.#read(MaintenanceService.alarm, AlarmRequest.create(), options);
  }

  alarm(request: Partial<AlarmRequest>, options?: CallOptions): Promise<AlarmResponse> {
    const full = { ...AlarmRequest.create(), ...request };
    return this.#write(MaintenanceService.alarm, full, options);
  }

  /** Of this endpoint and no other. */
  status(endpoint: string, options: CallOptions = {}): Promise<StatusResponse> {
    return this.#at(endpoint, MaintenanceService.status, StatusRequest.create(), options);
  }

  /** Of this endpoint and no other; it serves nothing meanwhile. */
  async defragment(endpoint: string, options: CallOptions = {}): Promise<void> {
    const limits = { timeoutMs: MAINTENANCE_TIMEOUT_MS, ...options };
    await this.#at(endpoint, MaintenanceService.defragment, DefragmentRequest.create(), limits);
  }

  /** As this member answers it, with or without a leader. */
  rangeAt(
    endpoint: string,
    request: Partial<RangeRequest>,
    options: CallOptions = {},
  ): Promise<RangeResponse> {
    return this.#at(endpoint, KVService.range, { ...RangeRequest.create(), ...request }, options);
  }

  /** Through this member and no other. */
  putAt(
    endpoint: string,
    request: Partial<PutRequest>,
    options: CallOptions = {},
  ): Promise<PutResponse> {
    return this.#at(endpoint, KVService.put, { ...PutRequest.create(), ...request }, options);
  }

  /** The sum over the history up to `revision` as this endpoint has it; 0 is all of it. */
  hashKv(endpoint: string, revision: number, options: CallOptions = {}): Promise<HashKVResponse> {
    const limits = { timeoutMs: MAINTENANCE_TIMEOUT_MS, ...options };
    return this.#at(endpoint, MaintenanceService.hashKv, { revision }, limits);
  }

  /** A connection of its own for a long answer; whoever asked for it disposes of it. */
  openChannel(endpoint: string): EndpointChannel {
    this.#assertOpen();
    return this.#newSlot(parseEndpoint(endpoint).url).channel;
  }

  /** Raft as this member sees it; Unsupported by anything but our own nodes. */
  inspectRaft(
    endpoint: string,
    afterEvent: number,
    options: CallOptions = {},
  ): Promise<RaftResponse> {
    return this.#at(endpoint, InspectService.raft, { afterEvent }, options);
  }

  /** What is wrong with this member on purpose; Unsupported where nothing can be. */
  faults(endpoint: string, options: CallOptions = {}): Promise<FaultSet> {
    return this.#at(endpoint, FaultLabService.get, FaultGetRequest.create(), options);
  }

  setFaults(endpoint: string, faults: FaultSet, options: CallOptions = {}): Promise<FaultSet> {
    return this.#at(endpoint, FaultLabService.set, faults, options);
  }

  dispose(): void {
    this.#disposed = true;
    for (const slot of this.#slots.values()) slot.channel.dispose();
    this.#slots.clear();
  }

  #newSlot(url: string): Slot {
    const channel = new EndpointChannel(parseEndpoint(url), this.#options.security);
    return { channel, failedAtMs: null };
  }

  async #at<Request, Response>(
    endpoint: string,
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
  ): Promise<Response> {
    this.#assertOpen();
    const { url } = parseEndpoint(endpoint);
    const known = this.#slots.get(url);
    // A member that is not among our endpoints: a connection for this one call.
    const channel = known?.channel ?? this.#newSlot(url).channel;
    try {
      const response = await channel.unary(method, request, {
        timeoutMs: this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
        ...options,
      });
      this.report(channel, true);
      return response;
    } catch (error) {
      const failure = toRemoteError(error, { endpoint, method: methodName(method) });
      // NoLeader and the like are no fault of the connection, but other endpoints may fare better.
      if (failure.elsewhere) this.report(channel, false);
      throw failure;
    } finally {
      if (known === undefined) channel.dispose();
    }
  }

  #read<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions = {},
    requireLeader = true,
  ): Promise<Response> {
    const attemptTimeoutMs = this.#options.attemptTimeoutMs ?? DEFAULT_ATTEMPT_TIMEOUT_MS;
    const again = (error: RemoteError) => error.elsewhere;
    return this.#attempts(method, request, { options, requireLeader, attemptTimeoutMs, again });
  }

  async #write<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Response> {
    const again = (error: RemoteError) => error.elsewhere && error.outcome === 'unsent';
    try {
      return await this.#attempts(method, request, {
        options,
        requireLeader: true,
        // No deadline shorter than the call's own: it would turn a slow success into an unknown
        // outcome.
        attemptTimeoutMs: Number.POSITIVE_INFINITY,
        again,
      });
    } catch (error) {
      const failure = toRemoteError(error, { endpoint: '', method: methodName(method) });
      throw failure.outcome === 'unknown' ? withUnknownOutcome(failure) : failure;
    }
  }

  async #attempts<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    plan: {
      options: CallOptions;
      requireLeader: boolean;
      attemptTimeoutMs: number;
      again: (error: RemoteError) => boolean;
    },
  ): Promise<Response> {
    const { options, requireLeader } = plan;
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const deadline = performance.now() + timeoutMs;
    const channels = this.candidates().slice(0, MAX_ATTEMPTS);
    let first: RemoteError | undefined;
    for (const [i, channel] of channels.entries()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) break;
      const isLast = i === channels.length - 1;
      const limits = {
        timeoutMs: isLast ? leftMs : Math.min(leftMs, plan.attemptTimeoutMs),
        requireLeader,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      };
      try {
        const response = await channel.unary(method, request, limits);
        this.report(channel, true);
        return response;
      } catch (error) {
        const failure = toRemoteError(error, {
          endpoint: channel.endpoint.address,
          method: methodName(method),
        });
        if (failure.elsewhere) this.report(channel, false);
        // NoLeader says more about the cluster than the refused connection of one of its nodes.
        if (first === undefined || failure.code === 'NoLeader') first = failure;
        if (!plan.again(failure)) throw failure;
      }
    }
    throw first ?? new CodedError<ContractErrorCode>('Unavailable', 'no endpoint to call');
  }

  #assertOpen(): void {
    if (this.#disposed) {
      throw new CodedError<ContractErrorCode>('Cancelled', 'the connection is closed');
    }
  }
}
