import { describe, expect, it } from 'vitest';
import { CLIENT_PREFACE, ErrorCode, FrameReader, FrameType } from './frames.ts';
import { FrameOutput } from './output.ts';
import { frameBytes } from './testing/raw-client.ts';

function collect(maxFrameBytes = 16_384) {
  const seen: string[] = [];
  const reader = new FrameReader((type, flags, id, bytes, start, end) => {
    seen.push(`${type} ${flags} ${id} ${bytes.toString('latin1', start, end)}`);
  }, maxFrameBytes);
  return { reader, seen };
}

const INPUT = Buffer.concat([
  CLIENT_PREFACE,
  frameBytes(FrameType.SETTINGS, 0, 0),
  frameBytes(FrameType.DATA, 1, 3, Buffer.from('hello')),
  frameBytes(FrameType.PING, 0, 0, Buffer.from('12345678')),
  frameBytes(0xfe, 0x55, 0x7fff_ffff, Buffer.from('?')),
]);
const FRAMES = ['4 0 0 ', '0 1 3 hello', '6 0 0 12345678', '254 85 2147483647 ?'];

describe('frame reader', () => {
  it('reads the same however the bytes are cut', () => {
    for (let cut = 0; cut <= INPUT.length; cut++) {
      const { reader, seen } = collect();
      reader.push(INPUT.subarray(0, cut));
      reader.push(INPUT.subarray(cut));
      expect(seen).toEqual(FRAMES);
    }
    for (const step of [1, 2, 3, 7]) {
      const { reader, seen } = collect();
      for (let at = 0; at < INPUT.length; at += step) reader.push(INPUT.subarray(at, at + step));
      expect(seen).toEqual(FRAMES);
    }
  });

  it('ignores the reserved bit of a stream id', () => {
    const { reader, seen } = collect();
    const frame = frameBytes(FrameType.DATA, 0, 5);
    frame[5] = 0x80;
    reader.push(CLIENT_PREFACE);
    reader.push(frame);
    expect(seen).toEqual(['0 0 5 ']);
  });

  it('refuses another preface at its first wrong byte', () => {
    expect(() => collect().reader.push(Buffer.from('PRI * HTTP/1'))).toThrow(
      expect.objectContaining({ code: ErrorCode.PROTOCOL_ERROR }),
    );
  });

  it('refuses a frame that is too large by its header alone', () => {
    const { reader } = collect(100);
    reader.push(CLIENT_PREFACE);
    reader.push(frameBytes(FrameType.DATA, 0, 1, Buffer.alloc(100)));
    expect(() =>
      reader.push(frameBytes(FrameType.DATA, 0, 1, Buffer.alloc(101)).subarray(0, 9)),
    ).toThrow(expect.objectContaining({ code: ErrorCode.FRAME_SIZE_ERROR }));
  });
});

describe('frame output', () => {
  it('splits a header block that is larger than a frame', () => {
    const output = new FrameOutput();
    const block = Buffer.from('abcdefghij');
    output.headers(7, block, true, 4);
    expect(output.bytes).toBe(3 * 9 + 10);
  });
});
