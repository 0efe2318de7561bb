import { status as GrpcStatus, type ServiceError } from '@grpc/grpc-js';
import type { KeyValue as ProtoKeyValue } from '../../../src-main/proto/etcd/kv.ts';
import type { Failure, FaultEvent, History, KeyValue, Operation } from '../../sim/history.ts';
import type { Engine } from '../../support/members.ts';

/** Election timeout of test/support/members.ts. */
const ELECTION_TIMEOUT_MS = 500;

export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
export const text = (data: Uint8Array): string => Buffer.from(data).toString('latin1');

export function toKeyValue(kv: ProtoKeyValue): KeyValue {
  const { createRevision, modRevision, version, lease } = kv;
  const rest = { createRevision, modRevision, version, lease: lease.toString(16) };
  return { key: text(kv.key), value: text(kv.value), ...rest };
}

/** Refusals after which etcd has not done, and never will do, what it was asked for. */
const DEFINITE: ReadonlySet<number> = new Set([
  GrpcStatus.INVALID_ARGUMENT,
  GrpcStatus.NOT_FOUND,
  GrpcStatus.OUT_OF_RANGE,
  GrpcStatus.FAILED_PRECONDITION,
  GrpcStatus.RESOURCE_EXHAUSTED,
]);

/** etcd answers so, too, when it has applied a put and found only then that there was no room for it. */
const NO_SPACE = /database space exceeded/;

function classify(error: ServiceError, engine: Engine): Failure {
  if (engine === 'etcd' && NO_SPACE.test(error.message)) return 'unknown';
  if (DEFINITE.has(error.code)) return 'definite';
  // The client never had a connection, so that nothing was sent.
  const notSent = /No connection established|ECONNREFUSED/.test(error.message);
  return error.code === GrpcStatus.UNAVAILABLE && notSent ? 'definite' : 'unknown';
}

/** Ours has the simulator's name for a want of space, by which the oracle knows it. */
function outcomeOf(error: ServiceError, engine: Engine): Operation['outcome'] & { ok: false } {
  const isFull = engine === 'raftdeck' && NO_SPACE.test(error.message);
  const code = isFull ? 'NoSpace' : (error.details ?? error.message);
  return { ok: false, error: classify(error, engine), code };
}

/** Writes down what clients call and what comes of it, by one clock. */
export class Recorder {
  readonly history: History;
  readonly #startedMs = performance.now();

  readonly #engine: Engine;

  constructor(seed: number, engine: Engine) {
    this.#engine = engine;
    const none = { operations: [], watches: [], leases: [], observations: [], logs: [] };
    const limits = { quotaBytes: 0, electionTimeoutMs: ELECTION_TIMEOUT_MS, maxClockDrift: 0.01 };
    this.history = { seed, ...limits, ...none, applied: [], faults: [], final: undefined };
  }

  get nowMs(): number {
    return performance.now() - this.#startedMs;
  }

  fault(kind: string, members: string[], detail = ''): FaultEvent {
    const fault = { atMs: this.nowMs, kind, members, detail };
    this.history.faults.push(fault);
    return fault;
  }

  /** Makes the call; undefined if it failed. */
  async record<Kind extends Operation['kind'], Output>(
    call: { kind: Kind; client: number; member: string; key: string; input: object },
    run: () => Promise<Output>,
  ): Promise<Output | undefined> {
    const { operations } = this.history;
    const unknown = { ok: false, error: 'unknown', code: 'Unanswered' } as const;
    const times = { invokedMs: this.nowMs, returnedMs: Number.POSITIVE_INFINITY };
    const id = operations.length;
    operations.push({ id, ...call, ...times, outcome: unknown } as unknown as Operation);
    const operation = operations[id] as Operation;
    try {
      const output = await run();
      operation.outcome = { ok: true, output } as unknown as Operation['outcome'] & { ok: true };
      return output;
    } catch (error) {
      operation.outcome = outcomeOf(error as ServiceError, this.#engine);
      return undefined;
    } finally {
      operation.returnedMs = this.nowMs;
    }
  }
}
