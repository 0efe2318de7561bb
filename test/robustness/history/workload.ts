import { setTimeout as sleep } from 'node:timers/promises';
import { Metadata } from '@grpc/grpc-js';
import type { Random } from '../../../src-main/base/prng.ts';
import {
  LeaseGrantRequest,
  type LeaseKeepAliveResponse,
  LeaseRevokeRequest,
  LeaseTimeToLiveRequest,
} from '../../../src-main/proto/etcd/rpc.ts';
import type { KeyValue, TxnStep } from '../../sim/history.ts';
import { Calls, revisionOf, type Target, unary } from './calls.ts';
import { type Recorder, text } from './recorder.ts';

const KEYS = 30;
/** A list that is longer is begun anew. */
const MAX_LIST_CHARACTERS = 120;
/** Between two calls of a client, so that a run stays small enough to be judged in seconds. */
const PAUSE_MS = 5;
/** Lets a member that is down come back before it is asked again. */
const PAUSE_AFTER_FAILURE_MS = 50;
const LEASE_TTL_SECONDS = 2;

export const LEASE_PREFIX = 'lease/';

/** Puts, gets, ranges, deletes, compare-and-swaps, appends and transactions until told to stop. */
export async function useKeys(
  recorder: Recorder,
  client: number,
  targets: readonly Target[],
  random: Random,
  signal: AbortSignal,
): Promise<void> {
  const calls = new Calls(recorder, client);
  const known = new Map<string, KeyValue | undefined>();
  for (let i = 0; !signal.aborted; i++) {
    const to = targets[random.below(targets.length)] as Target;
    const answer = await useKey(calls, to, `${client}.${i}`, known, random);
    await sleep(answer === undefined ? PAUSE_AFTER_FAILURE_MS : PAUSE_MS);
  }
}

/** One call of any kind; what it shows of keys goes into `known`. Undefined if it failed. */
async function useKey(
  calls: Calls,
  to: Target,
  value: string,
  known: Map<string, KeyValue | undefined>,
  random: Random,
): Promise<object | undefined> {
  const [key, other] = twoKeys(random);
  const seen = known.get(key);
  const roll = random.below(100);
  if (roll < 25) return calls.put(to, key, value);
  if (roll < 28) return calls.get(to, key, roll === 25, pastRevision(known, random));
  if (roll < 45) {
    const read = await calls.get(to, key, roll < 31);
    if (read !== undefined) known.set(key, read.kv);
    return read;
  }
  if (roll < 50) return calls.range(to, 'k', 'l', roll === 49);
  if (roll < 60) return calls.delete(to, key);
  if (roll < 70) return calls.putIf(to, key, seen, value);
  if (roll < 85) {
    const list = seen?.value ?? '';
    const isAnew = list === '' || list.length > MAX_LIST_CHARACTERS;
    return calls.putIf(to, key, seen, isAnew ? value : `${list},${value}`, value);
  }
  const names = [key, other];
  const compares = names.map((one) => ({
    ...{ key: one, modRevision: known.get(one)?.modRevision ?? 0 },
  }));
  const success: TxnStep[] = [
    { kind: 'put', key, value, lease: '0' },
    { kind: 'delete', key: other },
  ];
  const reads = names.map((one): TxnStep => ({ kind: 'get', key: one }));
  const answer = await calls.txn(to, compares, success, reads);
  for (const [at, step] of (answer?.steps ?? []).entries()) {
    if (step.kind === 'get') known.set(names[at] as string, step.kv);
  }
  return answer;
}

/** One that this client has seen. It may be compacted by now. */
function pastRevision(known: ReadonlyMap<string, KeyValue | undefined>, random: Random): number {
  const revisions = [...known.values()].flatMap((kv) => kv?.modRevision ?? []);
  return revisions[random.below(revisions.length)] ?? 1;
}

function twoKeys(random: Random): [string, string] {
  const first = random.below(KEYS);
  const second = (first + 1 + random.below(KEYS - 1)) % KEYS;
  return [`k${first}`, `k${second}`];
}

/** Grants leases, attaches keys, keeps some alive, revokes some and lets the others run out. */
export async function useLeases(
  recorder: Recorder,
  client: number,
  targets: readonly Target[],
  random: Random,
  signal: AbortSignal,
): Promise<void> {
  const calls = new Calls(recorder, client);
  const any = () => targets[random.below(targets.length)] as Target;
  for (let i = 1; !signal.aborted; i++) {
    const id = BigInt(client * 1_000_000 + i);
    const lease = id.toString(16);
    const granted = await grant(recorder, client, any(), id);
    if (granted === undefined) {
      await sleep(20 * PAUSE_MS);
      continue;
    }
    await calls.put(any(), `${LEASE_PREFIX}${client}/${i}`, lease, lease);
    for (let beat = random.below(5); beat > 0 && !signal.aborted; beat--) {
      await keepAlive(recorder, client, any(), id);
      await sleep(50 + random.below(400));
    }
    if (random.below(2) === 0) await revoke(recorder, client, any(), id);
    else if (random.below(3) === 0) await sleep(LEASE_TTL_SECONDS * 1_000);
    await keepAlive(recorder, client, any(), id);
    await timeToLive(recorder, client, any(), id);
  }
}

const call = <Kind extends string>(
  kind: Kind,
  client: number,
  to: Target,
  id: bigint,
  rest: object = {},
) => ({ kind, client, member: to.name, key: '', input: { lease: id.toString(16), ...rest } });

function grant(recorder: Recorder, client: number, to: Target, ID: bigint) {
  const ttlSeconds = LEASE_TTL_SECONDS;
  return recorder.record(call('leaseGrant', client, to, ID, { ttlSeconds }), async () => {
    const request = LeaseGrantRequest.fromPartial({ ID, TTL: ttlSeconds });
    const { lease } = to.client;
    const response = await unary(lease.leaseGrant.bind(lease), request);
    return { ...revisionOf(response), ttlSeconds: response.TTL };
  });
}

function revoke(recorder: Recorder, client: number, to: Target, ID: bigint) {
  return recorder.record(call('leaseRevoke', client, to, ID), async () => {
    const { lease } = to.client;
    const request = LeaseRevokeRequest.fromPartial({ ID });
    return revisionOf(await unary(lease.leaseRevoke.bind(lease), request));
  });
}

function timeToLive(recorder: Recorder, client: number, to: Target, ID: bigint) {
  return recorder.record(call('leaseTimeToLive', client, to, ID), async () => {
    const { lease } = to.client;
    const request = LeaseTimeToLiveRequest.fromPartial({ ID, keys: true });
    const response = await unary(lease.leaseTimeToLive.bind(lease), request);
    const rest = { grantedTtlSeconds: response.grantedTTL, keys: response.keys.map(text) };
    return { ...revisionOf(response), ttlSeconds: response.TTL, ...rest };
  });
}

/** One question on a stream of its own. */
function keepAlive(recorder: Recorder, client: number, to: Target, ID: bigint) {
  return recorder.record(call('leaseKeepAlive', client, to, ID), async () => {
    const stream = to.client.lease.leaseKeepAlive(new Metadata(), { deadline: Date.now() + 2_000 });
    try {
      const response = await new Promise<LeaseKeepAliveResponse>((resolve, reject) => {
        stream.once('data', resolve);
        stream.on('error', reject);
        stream.once('end', () => reject(new Error('the stream ended')));
        stream.write({ ID });
      });
      return { ...revisionOf(response), ttlSeconds: response.TTL };
    } finally {
      stream.cancel();
    }
  });
}
