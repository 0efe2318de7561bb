import type { Member, ResponseHeader } from '../../../proto/etcd/rpc.ts';
import { Machine } from '../../apply/testing/machine.ts';
import { MemoryStore } from '../../apply/testing/memory-store.ts';
import type {
  ApplyResponses,
  InternalRequestBody,
  RequestKind,
  StateMachine,
} from '../../apply/types.ts';
import type { Backend, NodeStatus } from '../backend.ts';
import { nodeError } from './backend.ts';

/**
 * A Backend over a real state machine: what is proposed is applied in the next microtask. For
 * services whose calls act on each other through the state.
 */
export class LiveBackend implements Backend {
  readonly clusterId = 11n;
  readonly memberId = 22n;
  readonly limits = { maxTxnOps: 8, maxRequestBytes: 4096 };
  readonly machine = new Machine(new MemoryStore());
  /** Thrown by the next linearizable reads. */
  readFailure: Error | undefined;
  /** Called before something is applied. */
  beforeApply: (request: InternalRequestBody) => void = () => {};
  reads = 0;
  #lastLeaseId = 4000n;

  get state(): StateMachine {
    return this.machine.state;
  }

  header(revision = this.state.revision): ResponseHeader {
    return { clusterId: this.clusterId, memberId: this.memberId, revision, raftTerm: 3 };
  }

  async propose<K extends RequestKind>(
    request: Extract<InternalRequestBody, { $case: K }>,
  ): Promise<{ response: ApplyResponses[K]; revision: number }> {
    await Promise.resolve();
    const body = request as InternalRequestBody;
    this.beforeApply(body);
    const result = this.machine.apply(body);
    if (!result.ok) throw nodeError(result.code);
    return { response: result.response as ApplyResponses[K], revision: result.revision };
  }

  async linearizableRead(): Promise<void> {
    await Promise.resolve();
    this.reads++;
    if (this.readFailure !== undefined) throw this.readFailure;
  }

  async leaseRenew(id: bigint): Promise<number> {
    return this.state.lease(id)?.ttl ?? 0;
  }

  async leaseTimeToLive(id: bigint): Promise<{ ttl: number; grantedTtl: number } | undefined> {
    const lease = this.state.lease(id);
    return lease && { ttl: lease.ttl, grantedTtl: lease.ttl };
  }

  nextLeaseId(): bigint {
    return ++this.#lastLeaseId;
  }

  members(): Member[] {
    return this.state.members();
  }

  status(): NodeStatus {
    return {
      leader: this.memberId,
      raftTerm: 3,
      commitIndex: this.state.appliedIndex,
      appliedIndex: this.state.appliedIndex,
      isLearner: false,
      errors: [],
    };
  }

  size() {
    return { fileBytes: 0, inUseBytes: 0 };
  }

  readonly isLearner = false;
  readonly isCapable = true;
  readonly memberAdd = notHere;
  readonly memberRemove = notHere;
  readonly memberUpdate = notHere;
  readonly memberPromote = notHere;
  readonly openSnapshot = notHere;
  readonly hashKv = notHere;
  readonly hash = notHere;
  readonly defragment = notHere;
  readonly moveLeader = notHere;
}

/** What needs more of a node than its state machine. */
async function notHere(): Promise<never> {
  throw new Error('not part of this backend');
}
