import { decode } from '@msgpack/msgpack';
import { CodedError } from '../../base/errors.ts';

/** No input of the contract comes near it. */
const MAX_DEPTH = 64;

/**
 * The value in one MessagePack message. The decoder makes room for as many items as a header
 * announces, so that a few bytes could ask for gigabytes: what is announced must be there first.
 * Throws BadFrame.
 */
export function decodeFrame(message: Buffer): unknown {
  checkComplete(message);
  try {
    return decode(message);
  } catch (error) {
    throw new CodedError('BadFrame', 'not MessagePack', { cause: error });
  }
}

/** Walks over the whole message without making anything of it. */
function checkComplete(message: Buffer): void {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  /** Items that the open arrays and maps still lack, the innermost last. */
  const lacking: number[] = [];
  let at = 0;
  do {
    const { headerBytes, bodyBytes, items } = headOf(view, at);
    at += headerBytes + bodyBytes;
    // Every item has a byte at least.
    if (at + items > message.length) throw endsTooEarly();
    lacking.push(items);
    if (lacking.length > MAX_DEPTH) throw new CodedError('BadFrame', 'a frame nested too deep');
    // Whatever is complete now is one item of what it stands in.
    while (lacking.at(-1) === 0) {
      lacking.pop();
      if (lacking.length > 0) lacking.push((lacking.pop() as number) - 1);
    }
  } while (lacking.length > 0);
}

function endsTooEarly(): CodedError {
  return new CodedError('BadFrame', 'a frame that ends too early');
}

interface Head {
  headerBytes: number;
  bodyBytes: number;
  items: number;
}

/** https://github.com/msgpack/msgpack/blob/master/spec.md */
function headOf(view: DataView, at: number): Head {
  const type = lengthAt(view, at, 1);
  if (type < 0x80 || type >= 0xe0) return head(1, 0);
  if (type < 0x90) return head(1, 0, (type & 0x0f) * 2);
  if (type < 0xa0) return head(1, 0, type & 0x0f);
  if (type < 0xc0) return head(1, type & 0x1f);
  if (type < 0xc4) return head(1, 0);
  if (type < 0xc7) return sized(view, at, 2 ** (type - 0xc4), 0);
  if (type < 0xca) return sized(view, at, 2 ** (type - 0xc7), 1);
  if (type < 0xcc) return head(1, type === 0xca ? 4 : 8);
  if (type < 0xd0) return head(1, 2 ** (type - 0xcc));
  if (type < 0xd4) return head(1, 2 ** (type - 0xd0));
  if (type < 0xd9) return head(1, 1 + 2 ** (type - 0xd4));
  if (type < 0xdc) return sized(view, at, 2 ** (type - 0xd9), 0);
  const countBytes = type % 2 === 0 ? 2 : 4;
  const count = lengthAt(view, at + 1, countBytes);
  return head(1 + countBytes, 0, type < 0xde ? count : count * 2);
}

function head(headerBytes: number, bodyBytes: number, items = 0): Head {
  return { headerBytes, bodyBytes, items };
}

/** Bytes behind their length, with `extra` more in between. */
function sized(view: DataView, at: number, lengthBytes: number, extra: number): Head {
  return head(1 + lengthBytes + extra, lengthAt(view, at + 1, lengthBytes));
}

function lengthAt(view: DataView, at: number, bytes: number): number {
  if (at + bytes > view.byteLength) throw endsTooEarly();
  if (bytes === 1) return view.getUint8(at);
  return bytes === 2 ? view.getUint16(at) : view.getUint32(at);
}
