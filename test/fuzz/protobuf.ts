import type { Random } from '../../src-main/base/prng.ts';
import { ODD_NUMBERS, oneOf, randomBytes, varint } from './mutate.ts';

/** One field of an encoded message: its number, wire type, and what stands behind the tag. */
interface Field {
  number: number;
  wire: number;
  /** Of a length-delimited field without its length. */
  body: Buffer;
}

const VARINT = 0;
const FIXED_64 = 1;
const DELIMITED = 2;
const FIXED_32 = 5;
const WIRES = [VARINT, FIXED_64, DELIMITED, 3, 4, FIXED_32, 6, 7];
const MAX_DEPTH = 12;

/** Changes one field, perhaps of a message within; all lengths around it stay right. */
export function mutatedMessage(random: Random, message: Buffer, depth = 0): Buffer {
  const fields = fieldsOf(message);
  if (fields === undefined) return message;
  if (fields.length === 0) return encode([randomField(random)]);
  const at = random.below(fields.length);
  const field = fields[at] as Field;
  const isNested = field.wire === DELIMITED && depth < MAX_DEPTH;
  if (isNested && random.below(3) > 0 && fieldsOf(field.body) !== undefined) {
    field.body = mutatedMessage(random, field.body, depth + 1);
    return encode(fields);
  }
  switch (random.below(6)) {
    case 0:
      fields.splice(at, 1);
      break;
    case 1:
      fields.splice(random.below(fields.length + 1), 0, field);
      break;
    case 2:
      fields.splice(at, 0, randomField(random));
      break;
    case 3:
      field.number = 1 + random.below(20);
      break;
    default:
      field.body = randomBody(random, field.wire);
  }
  return encode(fields);
}

/** undefined for what is no message of protobuf. */
function fieldsOf(message: Buffer): Field[] | undefined {
  const fields: Field[] = [];
  for (let at = 0; at < message.length; ) {
    const tag = varintAt(message, at);
    if (tag === undefined || tag.value < 8n || tag.value > 0xffff_ffffn) return undefined;
    const wire = Number(tag.value & 7n);
    const bounds = bodyBounds(message, tag.end, wire);
    if (bounds === undefined || bounds.end > message.length) return undefined;
    const body = message.subarray(bounds.start, bounds.end);
    fields.push({ number: Number(tag.value >> 3n), wire, body });
    at = bounds.end;
  }
  return fields;
}

function bodyBounds(message: Buffer, at: number, wire: number) {
  if (wire === FIXED_64) return { start: at, end: at + 8 };
  if (wire === FIXED_32) return { start: at, end: at + 4 };
  if (wire !== VARINT && wire !== DELIMITED) return undefined;
  const read = varintAt(message, at);
  if (read === undefined || read.value > 2n ** 31n) return undefined;
  if (wire === VARINT) return { start: at, end: read.end };
  return { start: read.end, end: read.end + Number(read.value) };
}

function varintAt(message: Buffer, at: number): { value: bigint; end: number } | undefined {
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = message[at + i];
    if (byte === undefined) return undefined;
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  return undefined;
}

function encode(fields: readonly Field[]): Buffer {
  const parts = fields.flatMap(({ number, wire, body }) => [
    varint((BigInt(number) << 3n) | BigInt(wire)),
    ...(wire === DELIMITED ? [varint(BigInt(body.length))] : []),
    body,
  ]);
  return Buffer.concat(parts);
}

function randomField(random: Random): Field {
  const wire = oneOf(random, WIRES);
  return { number: 1 + random.below(20), wire, body: randomBody(random, wire) };
}

function randomBody(random: Random, wire: number): Buffer {
  switch (wire) {
    case VARINT:
      return varint(random.below(3) === 0 ? oneOf(random, ODD_NUMBERS) : BigInt(random.below(12)));
    case FIXED_64:
      return Buffer.alloc(8, random.below(256));
    case FIXED_32:
      return Buffer.alloc(4, random.below(256));
    default:
      return oneOf(random, [
        Buffer.alloc(0),
        Buffer.from([0]),
        Buffer.from('a'),
        Buffer.from('z'),
        Buffer.from([0xff, 0xfe]),
        randomBytes(random, 40),
      ]);
  }
}
