import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compareBytes } from '../../../base/bytes.ts';
import { seededRandom } from '../../../base/prng.ts';
import {
  currentCreate,
  currentLease,
  currentMod,
  currentSub,
  currentValue,
  currentVersion,
  keyValueOf,
} from './current.ts';
import {
  historyKey,
  historyMain,
  historyPrefix,
  historyRowPrefix,
  historySub,
  unescapeKey,
} from './history.ts';
import {
  appliedSchemaVersion,
  decodeApplied,
  decodeCompaction,
  decodeConfState,
  encodeApplied,
  encodeCompaction,
} from './meta.ts';
import { decodeIdKey, idKey, readU64, writeU64 } from './numbers.ts';
import {
  currentRowOf,
  encodeDelete,
  encodePut,
  isDelete,
  previousMain,
  previousSub,
  revisionKey,
  revisionMain,
  revisionSub,
  revisionUserKey,
} from './revisions.ts';
import {
  alarmKey,
  decodeAlarmKey,
  decodeLease,
  decodeMember,
  leaseKeyBounds,
  leaseKeyKey,
  leaseKeyUserKey,
} from './small-tables.ts';

/**
 * The bytes of one block in README.md: two-digit hex numbers up to the first double blank of each
 * line.
 */
function example(name: string): string {
  const readme = readFileSync(fileURLToPath(new URL('./README.md', import.meta.url)), 'utf8');
  const block = readme.split(`\`\`\`hex ${name}\n`)[1]?.split('```')[0];
  if (block === undefined) throw new Error(`no example ${name}`);
  return block
    .split('\n')
    .map((line) => (line.split(/ {2,}/)[0] ?? '').replaceAll(' ', ''))
    .join('');
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const KEY = Buffer.from([0x61, 0x00]);
const NUMBERS = { createRevision: 2, modRevision: 5, sub: 1, version: 2, lease: 7n };
const PUT = encodePut(KEY, Buffer.from('hi'), NUMBERS, 2, 0);

describe('the worked example', () => {
  it('is what is written', () => {
    expect(hex(PUT)).toBe(example('revisions'));
    expect(hex(currentRowOf(PUT))).toBe(example('current'));
    expect(hex(revisionKey(5, 1))).toBe(example('revisions key'));
    expect(hex(historyKey(KEY, 5, 1))).toBe(example('history key'));
    expect(hex(leaseKeyKey(7n, KEY))).toBe(example('leaseKeys key'));
    expect(hex(encodeDelete(KEY, 5, 1))).toBe(example('revisions of a deletion'));
    expect(hex(encodeApplied({ index: 9, term: 3, revision: 6, keyCount: 1 }))).toBe(
      example('meta applied'),
    );
    const compaction = { scheduled: 6, running: 5, finished: 0, cursorMain: 2, cursorSub: 0 };
    expect(hex(encodeCompaction(compaction))).toBe(example('meta compaction'));
    expect(hex(alarmKey({ memberID: 10n, alarm: 1 }))).toBe(example('alarms key'));
  });

  it('is what is read', () => {
    const row = Buffer.from(example('revisions'), 'hex');
    expect(isDelete(row)).toBe(false);
    expect([previousMain(row), previousSub(row)]).toEqual([2, 0]);
    expect(hex(revisionUserKey(row))).toBe('6100');
    const current = currentRowOf(row);
    const { createRevision, modRevision, sub, version, lease } = NUMBERS;
    expect([currentCreate(current), currentMod(current)]).toEqual([createRevision, modRevision]);
    expect([currentSub(current), currentVersion(current)]).toEqual([sub, version]);
    expect(currentLease(current)).toBe(lease);
    expect(currentValue(current).toString()).toBe('hi');
    const gone = Buffer.from(example('revisions of a deletion'), 'hex');
    expect(isDelete(gone)).toBe(true);
    expect([previousMain(gone), previousSub(gone)]).toEqual([5, 1]);
    expect(hex(revisionUserKey(gone))).toBe('6100');
    const key = Buffer.from(example('revisions key'), 'hex');
    expect([revisionMain(key), revisionSub(key)]).toEqual([5, 1]);
    const applied = Buffer.from(example('meta applied'), 'hex');
    expect(appliedSchemaVersion(applied)).toBe(1);
    expect(decodeApplied(applied)).toEqual({ index: 9, term: 3, revision: 6, keyCount: 1 });
    expect(decodeCompaction(Buffer.from(example('meta compaction'), 'hex'))).toEqual({
      scheduled: 6,
      running: 5,
      finished: 0,
      cursorMain: 2,
      cursorSub: 0,
    });
    expect(decodeAlarmKey(Buffer.from(example('alarms key'), 'hex'))).toEqual({
      memberID: 10n,
      alarm: 1,
    });
    expect(hex(leaseKeyUserKey(Buffer.from(example('leaseKeys key'), 'hex')))).toBe('6100');
  });
});

describe('numbers', () => {
  it.each([0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER])('%d', (value) => {
    const buffer = Buffer.alloc(8);
    expect(writeU64(buffer, value, 0)).toBe(8);
    expect(buffer.readBigUInt64BE()).toBe(BigInt(value));
    expect(readU64(buffer, 0)).toBe(value);
  });

  it('keeps negative leases and orders ids as unsigned', () => {
    const numbers = { ...NUMBERS, lease: -3n };
    const row = currentRowOf(encodePut(KEY, Buffer.alloc(0), numbers, 0, 0));
    expect(keyValueOf(KEY, row).lease).toBe(-3n);
    expect(hex(idKey(-1n))).toBe('f'.repeat(16));
    expect(leaseKeyBounds(-1n)).toEqual({ gte: idKey(-1n) });
    expect(leaseKeyBounds(7n)).toEqual({ gte: idKey(7n), lt: idKey(8n) });
  });

  it('takes whatever alarm type a client sent', () => {
    for (const alarm of [-1, 99]) {
      const odd = { memberID: 2n ** 64n - 1n, alarm: alarm as 1 };
      expect(decodeAlarmKey(alarmKey(odd))).toEqual(odd);
    }
  });
});

describe('escaped keys', () => {
  const random = seededRandom(7);
  const randomKey = () => {
    const key = Buffer.alloc(random.below(6));
    for (let i = 0; i < key.length; i++)
      key[i] = [0, 0, 1, 2, 0xfe, 0xff][random.below(6)] as number;
    return key;
  };

  it('keep the order of keys, then of revisions, and can be read back', () => {
    for (let i = 0; i < 5_000; i++) {
      const [a, b] = [randomKey(), randomKey()];
      const [mainA, mainB] = [random.below(3) * 2 ** 33, random.below(3) * 2 ** 33];
      const order = compareBytes(a, b) || mainA - mainB;
      const rowA = historyKey(a, mainA, 4);
      expect(Math.sign(compareBytes(rowA, historyKey(b, mainB, 4)))).toBe(Math.sign(order));
      expect(hex(unescapeKey(historyRowPrefix(rowA)))).toBe(hex(a));
      expect([historyMain(rowA), historySub(rowA)]).toEqual([mainA, 4]);
      expect(hex(historyRowPrefix(rowA))).toBe(hex(historyPrefix(a)));
      // A bound of one key lies before all rows of that key and behind all rows of smaller ones.
      expect(compareBytes(historyPrefix(a), rowA)).toBeLessThan(0);
      if (compareBytes(a, b) < 0) {
        expect(compareBytes(historyKey(a, 2 ** 50, 9), historyPrefix(b))).toBeLessThan(0);
      }
    }
  });
});

describe('corrupt rows', () => {
  const refused = expect.objectContaining({ code: 'StateCorrupt' });

  it('are refused whatever their length and bytes', () => {
    const decoders: [(row: Buffer) => unknown, soundBytes: number][] = [
      [decodeApplied, 33],
      [decodeCompaction, 36],
      [decodeAlarmKey, 12],
      [decodeIdKey, 8],
    ];
    for (const [decode, soundBytes] of decoders) {
      for (let bytes = 0; bytes < 50; bytes++) {
        if (bytes === soundBytes) expect(() => decode(Buffer.alloc(bytes))).not.toThrow();
        else expect(() => decode(Buffer.alloc(bytes))).toThrow(refused);
      }
    }
    // Numbers that were never written: they would be rounded, and taken for others.
    const applied = encodeApplied({ index: 9, term: 2, revision: 7, keyCount: 0 });
    applied.writeUInt8(0xff, 9);
    expect(() => decodeApplied(applied)).toThrow(refused);
    expect(() => decodeCompaction(Buffer.alloc(36, 0x80))).toThrow(refused);
    // A field that reaches beyond the row.
    const torn = Buffer.from([0x0a, 0xff, 0xff, 0x03, 1]);
    for (const decode of [decodeConfState, decodeLease, decodeMember]) {
      expect(() => decode(torn)).toThrow(refused);
    }
  });
});
