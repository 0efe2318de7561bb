/**
 * The experiments that the notes offer beside what they say of etcd. Each makes real calls; what it
 * reports is computed from their answers.
 */
import type { KeyValue } from '../proto/etcd/kv.ts';
import {
  Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  PutRequest,
  RangeRequest,
  type RequestOp,
} from '../proto/etcd/rpc.ts';
import type { Trial, TrialWatch } from './notes-trial.ts';

/** Long enough for a slow machine to write under it, short enough to wait for. */
const SHORT_TTL_SECONDS = 3;
const LONG_TTL_SECONDS = 60;
const EVENT_WAIT_MS = 10_000;
/** How much later than its TTL a lease may expire before nobody waits for it any more. */
const EXPIRY_SLACK_MS = 15_000;

/** A watch sees every change; one that fires once and is set again does not. */
export async function watchHistory(trial: Trial): Promise<void> {
  const first = await trial.put('writer', 'seat', 'v1');
  const stream = await trial.watch('stream', 'seat', first + 1);
  trial.say('oneShotArmed');
  const armed = await trial.watch('oneShot', 'seat');
  const written = [await trial.put('writer', 'seat', 'v2')];
  await trial.until(() => armed.events.length > 0, EVENT_WAIT_MS);
  armed.close();
  trial.say('oneShotTold');
  written.push(await trial.put('writer', 'seat', 'v3'));
  written.push(await trial.put('writer', 'seat', 'v4'));
  trial.say('oneShotReads');
  const read = await trial.get('oneShot', 'seat');
  const again = await trial.watch('oneShot', 'seat');
  const last = written.at(-1) ?? 0;
  await trial.until(() => lastRevision(stream) >= last, EVENT_WAIT_MS);
  trial.say('lateOpens', { revision: first + 1 });
  const late = await trial.watch('late', 'seat', first + 1);
  await trial.until(() => lastRevision(late) >= last, EVENT_WAIT_MS);

  const seen = revisionsOf(stream);
  trial.check('streamSawAll', same(seen, written), { seen: seen.length, of: written.length });
  // It was told of one change, and knows the value that it read afterwards.
  const known = [read?.modRevision ?? 0, ...revisionsOf(again)];
  const missed = written.filter((revision) => !known.includes(revision));
  trial.check('oneShotMissed', missed.length > 0, { missed: missed.length, of: written.length });
  const replayed = revisionsOf(late);
  trial.check('lateSawAll', same(replayed, written), { seen: replayed.length, of: written.length });
}

/** Of two who write on the ground of the same read, the second is refused. */
export async function casLoses(trial: Trial): Promise<void> {
  const stock = await trial.put('writer', 'stock', '10');
  trial.say('bothRead');
  const byA = await trial.get('a', 'stock');
  const byB = await trial.get('b', 'stock');
  trial.say('bothWrite', { revision: byA?.modRevision ?? 0 });
  const first = await compareAndSwap(trial, 'a', byA, '9, taken by A');
  const second = await compareAndSwap(trial, 'b', byB, '9, taken by B');
  const left = await trial.get('writer', 'stock');
  trial.check('firstWon', first.succeeded && byA?.modRevision === stock);
  trial.check('secondLost', !second.succeeded, { revision: byB?.modRevision ?? 0 });
  const shown = second.responses[0]?.response;
  const saw = shown?.$case === 'responseRange' ? shown.value.kvs[0]?.value.toString() : undefined;
  trial.check('loserSawWinner', saw === '9, taken by A', { value: saw ?? '' });
  const value = left?.value.toString() ?? '';
  trial.check('nothingOverwritten', value === '9, taken by A' && left?.version === 2, { value });
}

/** A lease that nobody renews ends, and takes its keys with it and no others. */
export async function leaseExpiry(trial: Trial): Promise<void> {
  const beganMs = trial.clock.nowMs();
  const lease = await trial.grant('a', SHORT_TTL_SECONDS);
  const names = ['node/1', 'node/2', 'node/3'];
  const watches: TrialWatch[] = [];
  for (const name of names) {
    const revision = await trial.put('a', name, 'alive', lease.id);
    watches.push(await trial.watch('observer', name, revision + 1));
  }
  await trial.put('a', 'config', 'stays');
  trial.say('waitsForExpiry', { ttl: lease.ttl });
  const gone = () => watches.filter((watch) => watch.events.length > 0).length;
  await trial.until(() => gone() === names.length, lease.ttl * 1_000 + EXPIRY_SLACK_MS);
  const tookMs = Math.round(trial.clock.nowMs() - beganMs);
  const left: string[] = [];
  for (const name of names) if ((await trial.get('observer', name)) !== null) left.push(name);
  const other = await trial.get('observer', 'config');
  trial.check('leaseKeysGone', left.length === 0, {
    gone: names.length - left.length,
    of: names.length,
  });
  trial.check('otherKeyStays', other !== null);
  const seconds = (tookMs / 1_000).toFixed(1);
  trial.check('notBeforeTtl', tookMs >= lease.ttl * 1_000, { ttl: lease.ttl, seconds });
}

/** Who lost a lock without knowing is stopped by the number that came with it, not by the lock. */
export async function lockFencing(trial: Trial): Promise<void> {
  const ofA = await trial.grant('a', SHORT_TTL_SECONDS);
  const lockA = await trial.lock('a', 'lock', ofA.id, EVENT_WAIT_MS);
  const tokenA = await lockToken(trial, 'a', lockA.key);
  trial.say('lockTaken', { token: tokenA });
  const early = await guardedPut(trial, 'a', { key: lockA.key, token: tokenA, value: 'by A' });
  trial.say('holderSilent', { ttl: ofA.ttl });
  const ofB = await trial.grant('b', LONG_TTL_SECONDS);
  const lockB = await trial.lock('b', 'lock', ofB.id, ofA.ttl * 1_000 + EXPIRY_SLACK_MS);
  const tokenB = await lockToken(trial, 'b', lockB.key);
  await guardedPut(trial, 'b', { key: lockB.key, token: tokenB, value: 'by B' });
  await trial.put('b', 'unguarded', 'by B');
  trial.say('holderWakes', { token: tokenA });
  const tooLate = { key: lockA.key, token: tokenA, value: 'by A, too late' };
  const refused = await guardedPut(trial, 'a', tooLate);
  await trial.put('a', 'unguarded', 'by A, too late');
  const guarded = await trial.get('observer', 'account');
  const unguarded = await trial.get('observer', 'unguarded');

  trial.check('tokenGrows', early.succeeded && tokenB > tokenA, { a: tokenA, b: tokenB });
  trial.check('lateRefused', !refused.succeeded, { token: tokenA });
  const kept = guarded?.value.toString() ?? '';
  trial.check('guardedKept', kept === 'by B', { value: kept });
  const lost = unguarded?.value.toString() ?? '';
  trial.check('unguardedOverwritten', lost === 'by A, too late', { value: lost });
}

/** The revision that created the lock's key; 0 if it is gone. */
async function lockToken(trial: Trial, who: 'a' | 'b', key: Buffer): Promise<number> {
  return (await trial.get(who, trial.shortKey(key)))?.createRevision ?? 0;
}

function guardedPut(
  trial: Trial,
  who: 'a' | 'b',
  { key, token, value }: { key: Buffer; token: number; value: string },
) {
  const words = `if create_revision(${trial.shortKey(key)})=${token} then put account="${value}"`;
  const compare = {
    ...Compare.create(),
    key,
    target: Compare_CompareTarget.CREATE,
    result: Compare_CompareResult.EQUAL,
    targetUnion: { $case: 'createRevision' as const, value: BigInt(token) },
  };
  const success = [putOp(trial.key('account'), value)];
  return trial.txn(who, words, { compare: [compare], success });
}

function compareAndSwap(trial: Trial, who: 'a' | 'b', read: KeyValue | null, value: string) {
  const revision = read?.modRevision ?? 0;
  const key = trial.key('stock');
  const compare = {
    ...Compare.create(),
    key,
    target: Compare_CompareTarget.MOD,
    result: Compare_CompareResult.EQUAL,
    targetUnion: { $case: 'modRevision' as const, value: BigInt(revision) },
  };
  const words = `if mod_revision(stock)=${revision} then put stock="${value}" else get stock`;
  const get: RequestOp = {
    request: { $case: 'requestRange', value: { ...RangeRequest.create(), key } },
  };
  return trial.txn(who, words, {
    compare: [compare],
    success: [putOp(key, value)],
    failure: [get],
  });
}

function putOp(key: Buffer, value: string): RequestOp {
  const request = { ...PutRequest.create(), key, value: Buffer.from(value) };
  return { request: { $case: 'requestPut', value: request } };
}

function revisionsOf(watch: TrialWatch): number[] {
  return watch.events.map((event) => event.kv?.modRevision ?? 0);
}

function lastRevision(watch: TrialWatch): number {
  return revisionsOf(watch).at(-1) ?? 0;
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
