import { expect, test } from 'vitest';
import { FrameReader, frame } from './frames.ts';

test('frames come out whole, however the bytes are cut', () => {
  const payloads = [
    Buffer.from('a'),
    Buffer.alloc(0),
    Buffer.from('x'.repeat(1000)),
    Buffer.from('end'),
  ];
  const bytes = Buffer.concat(payloads.map(frame));
  for (let cut = 1; cut < bytes.length; cut++) {
    const reader = new FrameReader(2000);
    const out = [...reader.push(bytes.subarray(0, cut)), ...reader.push(bytes.subarray(cut))];
    expect(out.map(String)).toEqual(payloads.map(String));
  }
  const reader = new FrameReader(2000);
  const single = [...bytes].flatMap((byte) => reader.push(Buffer.from([byte])));
  expect(single.map(String)).toEqual(payloads.map(String));
});

test('a frame over the limit is refused before its bytes are taken in', () => {
  const reader = new FrameReader(10);
  expect(() => reader.push(Buffer.from([0, 0, 0, 11]))).toThrow(/11 bytes is over the limit/);
});

test('the first frame alone is judged by its limit', () => {
  const hello = frame(Buffer.from('hello'));
  const bytes = Buffer.concat([hello, frame(Buffer.alloc(100))]);
  expect(String(new FrameReader(10).pushFirst(bytes))).toBe('hello');
  expect(new FrameReader(10).pushFirst(hello.subarray(0, -1))).toBeUndefined();
  expect(() => new FrameReader(4).pushFirst(bytes)).toThrow(/over the limit/);
});
