import { expect, it } from 'vitest';
import { seededRandom } from '../../base/prng.ts';
import { KeyValue } from '../../proto/etcd/kv.ts';
import { encodeDelete, encodePut, revisionKey } from '../storage/schema/revisions.ts';
import { etcdKeyRow, etcdRevision } from './etcd-rows.ts';

it('encodes revisions so that their order is that of the bytes', () => {
  expect(etcdRevision(0x0102, 3).toString('hex')).toBe('00000000000001025f0000000000000003');
  expect(etcdRevision(5, 0, true).toString('hex')).toBe('00000000000000055f000000000000000074');
});

it('encodes versions as the general encoder does, whatever is in them', () => {
  const random = seededRandom(7);
  const lengths = [0, 1, 127, 128, 16_383, 16_384];
  const numbers = [1, 127, 128, 2 ** 31, 2 ** 32, 2 ** 35 - 1, 2 ** 35, Number.MAX_SAFE_INTEGER];
  const leases = [0n, 1n, 127n, 128n, 2n ** 53n, 2n ** 63n - 1n, -1n, -(2n ** 63n)];
  const pick = <T>(items: T[]): T => items[random.below(items.length)] as T;
  for (let i = 0; i < 500; i++) {
    const key = Buffer.alloc(1 + pick(lengths), random.below(256));
    const value = Buffer.alloc(pick(lengths), random.below(256));
    const [createRevision, modRevision, version] = [pick(numbers), pick(numbers), pick(numbers)];
    const lease = pick(leases);
    const put = { createRevision, modRevision, version, lease };
    const row = encodePut(key, value, { ...put, sub: 3 }, 1, 0);
    const stored = etcdKeyRow({ key: revisionKey(9, 3), value: row });
    expect(stored.key.equals(etcdRevision(9, 3))).toBe(true);
    const expected = KeyValue.encode({ key, value, ...put }).finish();
    expect(Buffer.compare(stored.value, expected)).toBe(0);
    const deleted = etcdKeyRow({ key: revisionKey(9, 3), value: encodeDelete(key, 1, 0) });
    expect(deleted.key.equals(etcdRevision(9, 3, true))).toBe(true);
    const tombstone = KeyValue.encode(KeyValue.fromPartial({ key })).finish();
    expect(Buffer.compare(deleted.value, tombstone)).toBe(0);
  }
});
