import { expect, test } from 'vitest';
import type { MemberObservation, Operation } from '../history.ts';
import { checkQuota } from './quota.ts';
import { emptyHistory } from './testing/histories.ts';

const seen = (atMs: number, raised: boolean, member = 'm0') =>
  ({
    atMs,
    member,
    alarms: raised ? [{ member, alarm: 'NOSPACE' }] : [],
  }) as unknown as MemberObservation;

const put = (invokedMs: number, returnedMs: number, ok = true) =>
  ({
    ...{ id: invokedMs, kind: 'put', client: 0, member: 'm0', key: 'a', invokedMs, returnedMs },
    input: { value: 'v', lease: '0' },
    outcome: ok ? { ok, output: { revision: 9 } } : { ok, error: 'definite', code: 'NoSpace' },
  }) as Operation;

const disarm = (invokedMs: number, returnedMs: number, outcome: object = { ok: true }) =>
  ({
    ...{ id: 1, kind: 'alarmDisarm', client: 1, member: 'm0', key: '', invokedMs, returnedMs },
    ...{ input: { member: 'm0' }, outcome },
  }) as unknown as Operation;

const found = (observations: MemberObservation[], ...operations: Operation[]) =>
  checkQuota({ ...emptyHistory(), observations, operations }).flatMap((one) => one.operations);

const alarm = [seen(10, true)];

test('a put that is asked for after the alarm was seen is refused', () => {
  expect(found(alarm, put(20, 30))).toEqual([20]);
  expect(found([seen(10, true), seen(11, false, 'm1')], put(20, 30))).toEqual([20]);
  expect(found(alarm, put(20, 30, false))).toEqual([]);
});

test('one that was under way may have come before it', () => {
  expect(found(alarm, put(5, 30))).toEqual([]);
  expect(found([seen(10, false)], put(20, 30))).toEqual([]);
});

test('it counts until somebody asks to disarm it', () => {
  expect(found(alarm, put(20, 30), disarm(40, 50))).toEqual([20]);
  expect(found(alarm, put(20, 45), disarm(40, 50))).toEqual([]);
  expect(found(alarm, put(60, 70), disarm(40, 50))).toEqual([]);
  const refused = { ok: false, error: 'definite', code: 'NoLeader' };
  expect(found(alarm, put(60, 70), disarm(40, 50, refused))).toEqual([60]);
});

test('a member that lags shows an old alarm, and one that was free of it a new one', () => {
  const lagging = [seen(10, true), seen(55, true, 'm1')];
  expect(found(lagging, put(60, 70), disarm(40, 50))).toEqual([]);
  const anew = [seen(10, true), seen(52, false), seen(55, true)];
  expect(found(anew, put(60, 70), disarm(40, 50))).toEqual([60]);
});

test('a deletion is not a put', () => {
  const deletion = {
    ...put(20, 30),
    kind: 'delete',
    outcome: { ok: true, output: { revision: 9, deleted: 1 } },
  } as Operation;
  expect(found(alarm, deletion)).toEqual([]);
});

test('once a put is refused for want of space no later one is accepted', () => {
  const rules = (...operations: Operation[]) =>
    checkQuota({ ...emptyHistory(), operations }).map((one) => one.rule);
  expect(rules(put(20, 30, false), put(40, 50))).toEqual(['no put past a refusal']);
  expect(rules(put(20, 30, false), put(40, 50, false))).toEqual([]);
  expect(rules(put(20, 30, false), put(25, 50))).toEqual([]);
  expect(rules(put(20, 30, false), put(40, 60), disarm(55, 70))).toEqual([]);
  expect(rules(disarm(5, 10), put(20, 30, false), put(40, 50))).toEqual([]);
});
