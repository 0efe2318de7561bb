import type { Random } from '../../../src-main/base/prng.ts';
import { CLIENT_PREFACE, Flag, FrameType } from '../../../src-main/node/rpc/h2/frames.ts';
import { HpackEncoder } from '../../../src-main/node/rpc/h2/hpack/encoder.ts';
import {
  frameBytes,
  GRPC_REQUEST,
  grpcMessage,
  settingsPayload,
  uint32,
} from '../../../src-main/node/rpc/h2/testing/raw-client.ts';
import { mutated, oneOf, randomBytes } from '../mutate.ts';

const ODD_UINT32 = [0, 1, 0x7fff, 0xffff, 0x10000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const FLAGS = [0, Flag.END_STREAM, Flag.END_HEADERS, Flag.PADDED, Flag.PRIORITY, 0xff];
const MAX_FLOOD = 4_000;
const FLOOD_BYTES = 120_000;
const PATHS = ['/test.Echo/Say', '/test.Echo/Count', '/test.Echo/Chat', '/none', 'no path', ''];

function headerBlock(random: Random): Buffer {
  const headers: [string, string][] = Object.entries({
    ...GRPC_REQUEST,
    ':path': oneOf(random, PATHS),
    ...(random.below(4) === 0
      ? { 'grpc-timeout': oneOf(random, ['1n', '99999999H', '', 'x']) }
      : {}),
    ...(random.below(4) === 0
      ? { 'grpc-encoding': oneOf(random, ['gzip', 'deflate', 'br', '']) }
      : {}),
    ...(random.below(8) === 0
      ? { [oneOf(random, ['A', ':x', 'te', 'connection', 'a-bin'])]: 'v' }
      : {}),
  });
  if (random.below(6) === 0) headers.splice(random.below(headers.length), 1);
  const encoder = new HpackEncoder(4096);
  const block = encoder.encode(headers.map(([name, value]) => ({ name, value })));
  return random.below(5) === 0 ? mutated(random, [block], 8192) : block;
}

function payloadOf(random: Random, type: number): Buffer {
  switch (type) {
    case FrameType.DATA: {
      const text = randomBytes(random, oneOf(random, [0, 10, 2000]));
      const flag = oneOf(random, [0, 0, 0, 1, 7]);
      return random.below(5) === 0 ? text : grpcMessage(text, flag);
    }
    case FrameType.HEADERS:
    case FrameType.CONTINUATION:
      return headerBlock(random);
    case FrameType.SETTINGS: {
      const pairs = Array.from(
        { length: random.below(6) },
        () => [random.below(9), oneOf(random, ODD_UINT32)] as const,
      );
      return settingsPayload(pairs);
    }
    case FrameType.PING:
      return Buffer.alloc(8, 7);
    case FrameType.PRIORITY:
      return Buffer.alloc(5);
    case FrameType.GOAWAY:
      return Buffer.concat([uint32(oneOf(random, ODD_UINT32)), uint32(0)]);
    default:
      return uint32(oneOf(random, ODD_UINT32));
  }
}

function anyFrame(random: Random, lastId: number): Buffer {
  const type = random.below(10) === 0 ? random.below(256) : random.below(10);
  const onConnection =
    type === FrameType.SETTINGS || type === FrameType.PING || type === FrameType.GOAWAY;
  const usual = onConnection ? 0 : oneOf(random, [lastId, lastId, 1, 3, 0]);
  const id = random.below(12) === 0 ? oneOf(random, ODD_UINT32) : usual;
  const payload = payloadOf(random, type);
  const flags = oneOf(random, FLAGS) | oneOf(random, FLAGS);
  const frame = frameBytes(
    type,
    flags,
    id,
    random.below(10) === 0 ? randomBytes(random, 40) : payload,
  );
  // A length that is not that of the payload.
  if (random.below(20) === 0)
    frame.writeUIntBE(oneOf(random, [0, 1, 16_384, 16_385, 0xffffff]), 0, 3);
  return frame;
}

function request(random: Random, id: number): Buffer[] {
  const block = headerBlock(random);
  const at = random.below(block.length + 1);
  const head =
    random.below(4) > 0
      ? [frameBytes(FrameType.HEADERS, Flag.END_HEADERS, id, block)]
      : [
          frameBytes(FrameType.HEADERS, 0, id, block.subarray(0, at)),
          frameBytes(FrameType.CONTINUATION, Flag.END_HEADERS, id, block.subarray(at)),
        ];
  const end = random.below(4) > 0 ? Flag.END_STREAM : 0;
  return [...head, frameBytes(FrameType.DATA, end, id, payloadOf(random, FrameType.DATA))];
}

/** One frame very often, or one stream after the other that is reset at once. */
function flood(random: Random, id: number): { frames: Buffer[]; lastId: number } {
  const times = 1 + random.below(MAX_FLOOD);
  if (random.below(3) > 0) {
    const frame = anyFrame(random, id);
    const fitting = Math.min(times, Math.ceil(FLOOD_BYTES / frame.length));
    return { frames: Array.from({ length: fitting }, () => frame), lastId: id };
  }
  const block = headerBlock(random);
  const most = Math.min(times, Math.ceil(FLOOD_BYTES / (block.length + 22)));
  const frames = Array.from({ length: most }, (_, i) => [
    frameBytes(FrameType.HEADERS, Flag.END_HEADERS, id + 2 * i, block),
    frameBytes(FrameType.RST_STREAM, 0, id + 2 * i, uint32(8)),
  ]);
  return { frames: frames.flat(), lastId: id + 2 * most };
}

/** What a client sends in the life of one connection: requests, odd frames, floods of them. */
export function conversation(random: Random): Buffer {
  const parts: Buffer[] = [CLIENT_PREFACE, frameBytes(FrameType.SETTINGS, 0, 0)];
  let id = 1;
  for (let i = random.below(12); i >= 0; i--) {
    const dice = random.below(20);
    if (dice < 8) {
      parts.push(...request(random, id));
      id += 2;
    } else if (dice < 19) {
      parts.push(anyFrame(random, id));
    } else {
      const { frames, lastId } = flood(random, id);
      parts.push(...frames);
      id = lastId + 2;
    }
  }
  // The last one with a payload of any length: what reads beyond it finds nothing there.
  if (random.below(4) === 0) {
    const payload = randomBytes(random, 8);
    parts.push(
      frameBytes(random.below(10), oneOf(random, FLAGS), oneOf(random, [0, 1, id]), payload),
    );
  }
  return Buffer.concat(parts);
}

/** Sound conversations, to be mutated. */
export function sampleConversations(): Buffer[] {
  const encoder = new HpackEncoder(4096);
  const fields = (path: string) =>
    Object.entries({ ...GRPC_REQUEST, ':path': path }).map(([name, value]) => ({ name, value }));
  const start = [CLIENT_PREFACE, frameBytes(FrameType.SETTINGS, 0, 0)];
  return PATHS.slice(0, 4).map((path) =>
    Buffer.concat([
      ...start,
      frameBytes(FrameType.HEADERS, Flag.END_HEADERS, 1, encoder.encode(fields(path))),
      frameBytes(FrameType.DATA, 0, 1, grpcMessage('3')),
      frameBytes(FrameType.WINDOW_UPDATE, 0, 0, uint32(1000)),
      frameBytes(FrameType.DATA, Flag.END_STREAM, 1, Buffer.alloc(0)),
      frameBytes(FrameType.PING, 0, 0, Buffer.alloc(8, 1)),
    ]),
  );
}
