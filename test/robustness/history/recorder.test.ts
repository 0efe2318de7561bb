import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import type { Engine } from '../../support/members.ts';
import { Recorder } from './recorder.ts';

const call = { kind: 'put', client: 1, member: 'm0', key: 'k', input: { value: 'v', lease: '0' } };

async function outcomeOf(engine: Engine, code: number, details: string) {
  const recorder = new Recorder(1, engine);
  const error = Object.assign(new Error(`${code} X: ${details}`), { code, details });
  const record = recorder.record({ ...call, kind: 'put' }, () => Promise.reject(error));
  expect(await record).toBeUndefined();
  return recorder.history.operations[0]?.outcome;
}

const FULL = 'etcdserver: mvcc: database space exceeded';

test('a refusal for want of space has the name by which the oracle knows it', async () => {
  const refused = await outcomeOf('raftdeck', status.RESOURCE_EXHAUSTED, FULL);
  expect(refused).toEqual({ ok: false, error: 'definite', code: 'NoSpace' });
});

test('etcd may say that there is no space for what it has done', async () => {
  const refused = await outcomeOf('etcd', status.RESOURCE_EXHAUSTED, FULL);
  expect(refused).toEqual({ ok: false, error: 'unknown', code: FULL });
});

test.each([
  [status.UNAVAILABLE, 'No connection established. Last error: connect ECONNREFUSED', 'definite'],
  [status.UNAVAILABLE, 'etcdserver: request timed out', 'unknown'],
  [status.DEADLINE_EXCEEDED, 'Deadline exceeded', 'unknown'],
  [status.NOT_FOUND, 'etcdserver: requested lease not found', 'definite'],
])('status %i, "%s": whether it may have been done is %s', async (code, details, error) => {
  expect(await outcomeOf('raftdeck', code, details)).toEqual({ ok: false, error, code: details });
});
