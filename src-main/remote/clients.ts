/**
 * A typed grpc-js client for each service that is called by its name. The generated code has none, so that a node,
 * which needs the codecs alone, does not load grpc-js at its start.
 */
import {
  type CallOptions,
  type ChannelCredentials,
  type Client,
  type ClientDuplexStream,
  type ClientOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  type Metadata,
  makeGenericClientConstructor,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import {
  ClusterService,
  KVService,
  LeaseService,
  MaintenanceService,
  WatchService,
} from '../proto/etcd/rpc.ts';
import { ElectionService } from '../proto/etcd/v3election.ts';
import { LockService } from '../proto/etcd/v3lock.ts';
import { HealthService } from '../proto/grpc/health.ts';
import { FaultLabService, InspectService } from '../proto/raftdeck/inspect.ts';

/** A method as the generated code defines it. */
interface Method<Request, Response> {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  requestSerialize(value: Request): Buffer;
  responseDeserialize(bytes: Buffer): Response;
}

/** `response` is there if `error` is not. */
type UnaryCallback<Response> = (error: ServiceError | null, response: Response) => void;

interface UnaryCall<Request, Response> {
  (request: Request, callback: UnaryCallback<Response>): ClientUnaryCall;
  (request: Request, metadata: Metadata, callback: UnaryCallback<Response>): ClientUnaryCall;
  (
    request: Request,
    metadata: Metadata,
    options: Partial<CallOptions>,
    callback: UnaryCallback<Response>,
  ): ClientUnaryCall;
}

interface ServerStreamCall<Request, Response> {
  (request: Request, options?: Partial<CallOptions>): ClientReadableStream<Response>;
  (
    request: Request,
    metadata?: Metadata,
    options?: Partial<CallOptions>,
  ): ClientReadableStream<Response>;
}

interface BidiCall<Request, Response> {
  (options?: Partial<CallOptions>): ClientDuplexStream<Request, Response>;
  (metadata: Metadata, options?: Partial<CallOptions>): ClientDuplexStream<Request, Response>;
}

type Call<M> =
  M extends Method<infer Request, infer Response>
    ? M extends { requestStream: true; responseStream: true }
      ? BidiCall<Request, Response>
      : M extends { responseStream: true }
        ? ServerStreamCall<Request, Response>
        : UnaryCall<Request, Response>
    : never;

type ClientOf<Service> = Client & { [Name in keyof Service]: Call<Service[Name]> };

type ClientClass<Service> = new (
  address: string,
  credentials: ChannelCredentials,
  options?: Partial<ClientOptions>,
) => ClientOf<Service>;

function clientOf<Service extends ServiceDefinition>(service: Service): ClientClass<Service> {
  // grpc-js makes the methods from the definition; its own types do not follow it.
  const made: unknown = makeGenericClientConstructor(service, '');
  return made as ClientClass<Service>;
}

export const KVClient = clientOf(KVService);
export type KVClient = ClientOf<KVService>;
export const WatchClient = clientOf(WatchService);
export type WatchClient = ClientOf<WatchService>;
export const LeaseClient = clientOf(LeaseService);
export type LeaseClient = ClientOf<LeaseService>;
export const ClusterClient = clientOf(ClusterService);
export type ClusterClient = ClientOf<ClusterService>;
export const MaintenanceClient = clientOf(MaintenanceService);
export type MaintenanceClient = ClientOf<MaintenanceService>;
export const ElectionClient = clientOf(ElectionService);
export type ElectionClient = ClientOf<ElectionService>;
export const LockClient = clientOf(LockService);
export type LockClient = ClientOf<LockService>;
export const HealthClient = clientOf(HealthService);
export type HealthClient = ClientOf<HealthService>;
/** Of our own nodes alone. */
export const InspectClient = clientOf(InspectService);
export type InspectClient = ClientOf<InspectService>;
export const FaultLabClient = clientOf(FaultLabService);
export type FaultLabClient = ClientOf<FaultLabService>;
