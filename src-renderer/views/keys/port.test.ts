import { expect, test } from 'vitest';
import { FakeClient } from '../../testing/fake-client.ts';
import { keysPort } from './port.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const clusterId = 'c1';

test('asks the contract for exactly what is meant', () => {
  const fake = new FakeClient();
  const port = keysPort(fake.client, clusterId, utf8);
  const { signal } = new AbortController();
  const last = () => fake.calls.at(-1);

  void port.listPage({ prefix: utf8('/'), limit: 500 }, signal);
  expect(last()).toMatchObject({ name: 'keys.list', signal });
  expect(last()?.input).toEqual({ clusterId, prefix: utf8('/'), limit: 500 });
  void port.listPage({ prefix: utf8('/'), limit: 5, after: utf8('/a'), revision: 9 }, signal);
  expect(last()?.input).toMatchObject({ after: utf8('/a'), revision: 9 });

  void port.level({ prefix: utf8('a/'), separator: utf8('/'), limit: 9 }, signal);
  expect(last()).toMatchObject({ name: 'keys.level', signal });
  expect(last()?.input).toEqual({ clusterId, prefix: utf8('a/'), separator: utf8('/'), limit: 9 });

  // A new key must not be there; an edit must be at its revision; neither touches the lease.
  void port.create({ key: utf8('a'), value: utf8('v') });
  expect(last()?.input).toEqual({
    clusterId,
    key: utf8('a'),
    value: utf8('v'),
    expectModRevision: 0,
  });
  void port.create({ key: utf8('a'), value: utf8('v'), lease: 'ff' });
  expect(last()?.input).toMatchObject({ lease: 'ff' });
  void port.put(utf8('a'), utf8('v'), 7);
  expect(last()?.input).toEqual({
    clusterId,
    key: utf8('a'),
    value: utf8('v'),
    expectModRevision: 7,
  });

  void port.deleteKeys([utf8('a')], 7);
  expect(last()?.input).toEqual({ clusterId, keys: [utf8('a')], expectModRevision: 7 });
  void port.deleteKeys([utf8('a'), utf8('b')]);
  expect(last()?.input).toEqual({ clusterId, keys: [utf8('a'), utf8('b')] });
  void port.deletePrefix(utf8('/a'));
  expect(last()?.input).toEqual({ clusterId, key: utf8('/a'), rangeEnd: utf8('/b') });
  void port.deletePrefix(utf8(''));
  expect(last()?.input).toEqual({ clusterId, key: utf8(''), rangeEnd: new Uint8Array([0]) });
});
