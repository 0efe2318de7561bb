import { encode } from '@msgpack/msgpack';
import type { Logger } from '../../../src-main/base/logger.ts';
import type { Random } from '../../../src-main/base/prng.ts';
import { CALL_INPUTS } from '../../../src-main/contract/calls.ts';
import { CONTRACT_ERROR_CODES } from '../../../src-main/contract/errors.ts';
import { STREAM_INPUTS } from '../../../src-main/contract/streams.ts';
import type { ServerFrame } from '../../../src-main/contract/wire.ts';
import { decodeFrame } from '../../../src-main/hosts/browser/frame-codec.ts';
import { type Handlers, Session } from '../../../src-main/services/dispatcher.ts';
import type { StreamSink } from '../../../src-main/services/stream.ts';
import { oneOf, randomBytes } from '../mutate.ts';
import { Finding, refusedBy, type Target } from '../target.ts';

const CALLS = Object.keys(CALL_INPUTS);
const STREAMS = Object.keys(STREAM_INPUTS);
const ODD_NAMES = ['', 'toString', '__proto__', 'constructor', 'x'.repeat(65), 'keys'];
const FIELDS = [
  ...['clusterId', 'name', 'endpoints', 'nodes', 'node', 'prefix', 'after', 'limit', 'revision'],
  ...['key', 'rangeEnd', 'value', 'lease', 'expectModRevision', 'keys', 'ttl', 'id', 'ids', 'on'],
  ...['basePort', 'start', 'theme', 'tail', 'credits', 'physical', 'deleteData', 'extra', 't'],
];
const CODES: ReadonlySet<string> = new Set(CONTRACT_ERROR_CODES);
/** Longer words than this about one request help nobody. */
const MAX_ERROR_CHARS = 100_000;
/** Below what the codec takes. */
const MAX_DEPTH = 50;

function oddValue(random: Random, depth: number): unknown {
  const more = depth < 4 ? 11 : 9;
  switch (random.below(more)) {
    case 0:
      return oneOf(random, [0, -0, 1, -1, 1.5, 2 ** 31, 2 ** 53, 1e308, Number.NaN, -Infinity]);
    case 1:
      return oneOf(random, ['', 'dev', 'a', '1f', 'm1', '127.0.0.1:2379', 'dark', 'x'.repeat(300)]);
    case 2:
      return oneOf(random, [true, false, null, undefined]);
    case 3:
      return randomBytes(random, oneOf(random, [0, 4, 400]));
    case 4:
      return oneOf(random, [[], {}, new Date(1.5e12)]);
    case 5:
    case 6:
      return oneOf(random, [1, 3, 'dev', Buffer.from('key')]);
    case 7: {
      let deep: unknown = 1;
      for (let i = random.below(MAX_DEPTH); i > 0; i--)
        deep = random.below(2) === 0 ? [deep] : { deep };
      return deep;
    }
    case 8:
      return 'dev';
    case 9:
      return Array.from({ length: random.below(5) }, () => oddValue(random, depth + 1));
    default:
      return oddObject(random, depth + 1);
  }
}

function oddObject(random: Random, depth: number): Record<string, unknown> {
  const names = Array.from({ length: random.below(5) }, () => oneOf(random, FIELDS));
  return Object.fromEntries(names.map((name) => [name, oddValue(random, depth)]));
}

function frame(random: Random): unknown {
  const id = random.below(10) === 0 ? oddValue(random, 0) : random.below(5);
  const name = oneOf(random, random.below(8) === 0 ? ODD_NAMES : [...CALLS, ...STREAMS]);
  const input = { clusterId: 'dev', ...oddObject(random, 0) };
  const credits = random.below(4) === 0 ? oddValue(random, 0) : 1 + random.below(9);
  switch (random.below(8)) {
    case 0:
      return oddValue(random, 0);
    case 1:
      return { t: 'cancel', id };
    case 2:
      return { t: 'credit', id, credits };
    case 3:
      return { t: 'close', id };
    case 4:
    case 5:
      return { t: 'open', id, name, input, credits };
    default:
      return { t: 'call', id, name, input: random.below(8) === 0 ? oddValue(random, 0) : input };
  }
}

/** Each call is answered, and each stream gives a little. */
function someHandlers(): Handlers {
  const call = (input: unknown) => ({ input });
  const open = (input: unknown, sink: StreamSink<unknown>) => {
    for (let i = 0; i < 3; i++) sink.push({ i, input });
    return { dispose() {} };
  };
  return {
    calls: Object.fromEntries(CALLS.map((name) => [name, call])),
    streams: Object.fromEntries(STREAMS.map((name) => [name, { mode: 'queue', open }])),
  } as unknown as Handlers;
}

const idOf = (value: unknown) =>
  typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;

/** Feeds the frames to one session, as a client's messages. */
async function runSession(values: readonly unknown[]): Promise<void> {
  const sent: ServerFrame[] = [];
  const complaints: string[] = [];
  const note = (message: string, fields: object = {}) => {
    complaints.push(`${message} ${JSON.stringify(fields)}`);
  };
  const logger: Logger = { debug() {}, info() {}, warn() {}, error: note };
  const session = new Session(someHandlers(), (one) => sent.push(one), logger);
  const calls: unknown[] = [];
  for (const value of values) {
    const isTaken = session.receive(value);
    const isCall = isTaken && (value as { t: unknown }).t === 'call';
    if (isCall) calls.push(idOf(value));
  }
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
  for (const one of sent) checkFrame(one);
  for (const id of calls) {
    const answers = sent.filter(
      (one) => (one.t === 'result' || one.t === 'error') && one.id === id,
    );
    if (answers.length === 0) throw new Finding('a call without an answer');
  }
  session.dispose();
  if (complaints[0] !== undefined) throw new Finding(complaints[0]);
}

function checkFrame(sent: ServerFrame): void {
  encode(sent, { ignoreUndefined: true });
  const error = 'error' in sent ? sent.error : undefined;
  if (error === undefined) return;
  if (!CODES.has(error.code) || error.code === 'Internal') throw new Finding(error.message);
  if (error.message.length > MAX_ERROR_CHARS) throw new Finding('an endless message');
}

/** The frames of a client one behind the other, each with its length before it. */
function packed(values: readonly unknown[]): Buffer {
  const parts = values.flatMap((value) => {
    const bytes = encode(value, { ignoreUndefined: true });
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  });
  return Buffer.concat([Buffer.from([0]), ...parts]);
}

function unpacked(input: Buffer): unknown[] {
  const values: unknown[] = [];
  for (let at = 0; at + 4 <= input.length; ) {
    const end = at + 4 + input.readUInt32BE(at);
    try {
      values.push(decodeFrame(input.subarray(at + 4, end)));
    } catch (error) {
      refusedBy(['BadFrame'], error);
    }
    at = end;
  }
  return values;
}

/** Arrays and maps that announce more than there is, in each other. */
function announced(random: Random): Buffer {
  const heads = Array.from({ length: 1 + random.below(60) }, () => {
    const head = Buffer.alloc(5, oneOf(random, [0xdd, 0xdd, 0xdf]));
    head.writeUInt32BE(oneOf(random, [1, 2, 2 ** 16, 2 ** 24, 2 ** 25, 2 ** 32 - 1]), 1);
    return head;
  });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(5 * heads.length);
  return Buffer.concat([Buffer.from([0]), length, ...heads]);
}

/** What a page says to its host. The first byte: 0 for MessagePack, else an array in JSON. */
export function ipcTarget(random: Random): Target {
  const conversation = (chance: Random) =>
    Array.from({ length: 1 + chance.below(6) }, () => frame(chance));
  const asJson = (values: unknown[]) => Buffer.from(`\x01${JSON.stringify(values)}`);
  const seeds = Array.from({ length: 10 }, () => packed(conversation(random)));
  return {
    seeds: [...seeds, asJson(conversation(random)), Buffer.from('\x01[]')],
    generate(chance) {
      if (chance.below(20) === 0) return announced(chance);
      const values = conversation(chance);
      return chance.below(2) === 0 ? packed(values) : asJson(values);
    },
    roundTrip(chance) {
      const bytes = Buffer.from(encode(frame(chance), { ignoreUndefined: true }));
      if (!bytes.equals(encode(decodeFrame(bytes), { ignoreUndefined: true }))) {
        throw new Finding('a frame comes back changed');
      }
    },
    async run(input) {
      if (input[0] === 0) return runSession(unpacked(input.subarray(1)));
      let values: unknown;
      try {
        values = JSON.parse(input.subarray(1).toString());
      } catch {
        return;
      }
      await runSession(Array.isArray(values) ? values : [values]);
    },
  };
}
