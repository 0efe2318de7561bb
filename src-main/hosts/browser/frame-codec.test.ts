import { encode } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import { decodeFrame } from './frame-codec.ts';

const refused = { code: 'BadFrame' };

describe('decodeFrame', () => {
  it('gives back what was encoded, of every kind and length', () => {
    const values: unknown[] = [
      ...[0, 127, 128, 255, 256, 65_536, 2 ** 32, 2 ** 53 - 1, -1, -32, -33, -129, -40_000],
      ...[-(2 ** 33), 1.5, true, false, null, '', 'x', 'y'.repeat(31), 'z'.repeat(32)],
      ...['a'.repeat(300), 'b'.repeat(70_000), [], {}, new Date(0), new Date(1.5e12 + 1)],
      ...[Buffer.alloc(3, 1), Buffer.alloc(300, 2), Buffer.alloc(70_000, 3)],
      ...[Array.from({ length: 15 }, (_, i) => i), Array.from({ length: 300 }, () => [])],
      Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, { v: [i] }])),
      { t: 'call', id: 1, name: 'keys.range', input: { keys: [Buffer.from('k')], deep: [[[{}]]] } },
    ];
    for (const value of [...values, values]) {
      const bytes = Buffer.from(encode(value));
      const back = decodeFrame(bytes);
      expect(bytes.equals(encode(back))).toBe(true);
      if (typeof value !== 'object') expect(back).toBe(value);
    }
  });

  it('refuses a few bytes that announce millions of items', () => {
    // An array of 2^25 items in an array of as many, and so on: 8 bytes an item if room is made.
    const nested = Buffer.alloc(500, Buffer.from([0xdd, 0x02, 0, 0, 0]));
    const inputs = [nested, Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]), Buffer.from([0xdc, 0, 9])];
    for (const input of inputs) expect(() => decodeFrame(input)).toThrow(/ends too early/);
  });

  it('refuses what is nested without end, torn, or no MessagePack', () => {
    const deep = Buffer.alloc(100_000, 0x91);
    for (const input of [deep, Buffer.concat([deep, Buffer.from([0])])]) {
      expect(() => decodeFrame(input)).toThrow(/nested too deep/);
    }
    const whole = Buffer.from(encode({ t: 'open', id: 7, input: ['a', { b: 1.5 }] }));
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeFrame(whole.subarray(0, length))).toThrow(
        expect.objectContaining(refused),
      );
    }
    const never = Buffer.from([0xc1]);
    const trailing = Buffer.concat([whole, Buffer.from([0])]);
    for (const input of [never, trailing]) {
      expect(() => decodeFrame(input)).toThrow(expect.objectContaining(refused));
    }
  });
});
