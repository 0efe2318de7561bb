import { silentLogger } from '../../../src-main/base/logger.ts';
import type { Random } from '../../../src-main/base/prng.ts';
import { createServices } from '../../../src-main/node/api/services.ts';
import { TestClock } from '../../../src-main/node/api/testing/call.ts';
import { LiveBackend } from '../../../src-main/node/api/testing/live-backend.ts';
import type { ApplyResponses, InternalRequestBody } from '../../../src-main/node/apply/types.ts';
import { iterate } from '../../../src-main/node/rpc/iterate.ts';
import type { CallContext, MethodImplementation } from '../../../src-main/node/rpc/service.ts';
import { TxnRequest } from '../../../src-main/proto/etcd/rpc.ts';
import { InternalRequest } from '../../../src-main/proto/raftdeck/internal.ts';
import { oneOf, varint } from '../mutate.ts';
import { mutatedMessage } from '../protobuf.ts';
import { Finding, type Target } from '../target.ts';
import { sampleRequests } from './request-samples.ts';

/** Turns of the event loop that a call has before its client leaves, and after. */
const TURNS = 8;
/** Deeper than any limit, and not so deep that making it takes long. */
const MAX_NESTING = 3_000;

/**
 * What is proposed goes through the codec of entries: one that could not be read again, or fails to
 * be applied, would stop every member of the cluster.
 */
class CodecBackend extends LiveBackend {
  override readonly limits = { maxTxnOps: 128, maxRequestBytes: 1536 * 1024 };

  override async propose<K extends InternalRequestBody['$case']>(
    request: Extract<InternalRequestBody, { $case: K }>,
  ): Promise<{ response: ApplyResponses[K]; revision: number }> {
    const entry = InternalRequest.encode({ id: 1n, request: request as InternalRequestBody });
    const decoded = fatalUnless(() => InternalRequest.decode(entry.finish()).request);
    if (decoded?.$case !== request.$case) throw new Finding('an entry comes back as another');
    const same = decoded as Extract<InternalRequestBody, { $case: K }>;
    return super.propose(same).catch((error: unknown) => {
      if (error instanceof Error && error.name === 'CodedError') throw error;
      throw new Finding(`applying fails: ${error instanceof Error ? error.stack : error}`);
    });
  }
}

function fatalUnless<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new Finding(`an entry cannot be read again: ${error}`);
  }
}

function newBackend(): CodecBackend {
  const backend = new CodecBackend();
  const { machine } = backend;
  machine.grant(7n);
  for (const key of ['a', 'b', 'c', 'a']) machine.put(key, `value of ${key}`, { lease: 7n });
  machine.delete('b');
  machine.compact(3);
  return backend;
}

function methodsOf(backend: CodecBackend): MethodImplementation[] {
  const deps = { logger: silentLogger, clock: new TestClock() };
  return createServices(backend, deps).flatMap(({ methods }) => methods);
}

/** The first byte chooses the method; each message has its length before it. */
function callOf(method: number, ...messages: Uint8Array[]): Buffer {
  const parts = messages.flatMap((bytes) => [varint(BigInt(bytes.length)), bytes]);
  return Buffer.concat([Buffer.from([method]), ...parts]);
}

function messagesIn(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    let [length, factor] = [0, 1];
    for (let more = true; more && at < bytes.length; factor *= 128) {
      const byte = bytes[at++] as number;
      length += (byte & 0x7f) * factor;
      more = byte >= 0x80 && factor < 2 ** 28;
    }
    messages.push(bytes.subarray(at, at + length));
    at += length;
  }
  return messages;
}

/** Passes over refusals; throws what no client should cause. */
function checkRefusal(error: unknown): void {
  if (error instanceof Finding) throw error;
  if (error instanceof Error && error.name === 'RpcError') return;
  // What this backend has not got.
  if (error instanceof Error && error.message === 'not part of this backend') return;
  throw error;
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function settles(call: Promise<unknown>, { machine }: CodecBackend): Promise<boolean> {
  let done = false;
  const settled = () => {
    done = true;
  };
  call.then(settled, settled);
  for (let i = 0; i < TURNS && !done; i++) {
    await turn();
    machine.compactAll();
    machine.tasks.drain();
  }
  return done;
}

function start(method: MethodImplementation, messages: Buffer[], context: CallContext) {
  const responses = { write: () => true, onDrain: () => {} };
  const [first = Buffer.alloc(0)] = messages;
  if (method.kind === 'unary') return method.invoke(first, context);
  if (method.kind === 'serverStream') return method.invoke(first, responses, context);
  const stream = {
    onMessage: (listener: (bytes: Buffer) => void) => {
      for (const message of messages) listener(message);
    },
    onEnd: () => {},
    pause: () => {},
    resume: () => {},
  };
  const requests = { ...stream, [Symbol.asyncIterator]: () => iterate(stream, context.signal) };
  return method.invoke(requests, responses, context);
}

/** Never rejects before anybody looks. */
async function begin(method: MethodImplementation, messages: Buffer[], context: CallContext) {
  return start(method, messages, context);
}

async function runCall(input: Buffer): Promise<void> {
  const backend = newBackend();
  const methods = methodsOf(backend);
  const method = methods[(input[0] ?? 0) % methods.length] as MethodImplementation;
  const client = new AbortController();
  const context: CallContext = {
    signal: client.signal,
    get aborted() {
      return client.signal.aborted;
    },
    deadline: undefined,
    peer: 'fuzz',
    metadata: { get: () => undefined },
  };
  const call = begin(method, messagesIn(input.subarray(1)), context);
  call.catch(() => {});
  if (!(await settles(call, backend))) {
    client.abort();
    if (!(await settles(call, backend))) throw new Finding('it goes on when its client has left');
  }
  await call.then(() => {}, checkRefusal);
}

/** Transactions in transactions, or groups in groups, as deep as they come. */
function nested(random: Random, txnMethod: number): Buffer {
  // Around the limits most of all: a hundred messages for the codecs, fewer for a request.
  const depth = random.below(4) > 0 ? 25 + random.below(30) : random.below(MAX_NESTING);
  if (random.below(3) === 0) {
    const field = oneOf(random, [4, 100]);
    const open = Array.from({ length: depth }, () => varint(BigInt((field << 3) | 3)));
    const close = Array.from({ length: depth }, () => varint(BigInt((field << 3) | 4)));
    return callOf(txnMethod, Buffer.concat([...open, ...(random.below(2) === 0 ? [] : close)]));
  }
  // What stands innermost is one level more, or two.
  const compare = [{ key: Buffer.from('a') }];
  let txn: Buffer = Buffer.from(
    TxnRequest.encode(TxnRequest.fromPartial(random.below(2) === 0 ? {} : { compare })).finish(),
  );
  for (let i = 0; i < depth; i++) {
    const op = Buffer.concat([Buffer.from([0x22]), varint(BigInt(txn.length)), txn]);
    const tag = oneOf(random, [0x12, 0x1a]);
    txn = Buffer.concat([Buffer.from([tag]), varint(BigInt(op.length)), op]);
  }
  return callOf(txnMethod, txn);
}

/** Other messages of the same form. */
function changed(random: Random, call: Buffer): Buffer {
  const messages = messagesIn(call.subarray(1)).map((message) => {
    let changing = message;
    for (let i = random.below(4); i >= 0; i--) changing = mutatedMessage(random, changing);
    return changing;
  });
  return callOf(call[0] as number, ...messages);
}

/** Every method of the API, before a real state. */
export function requestsTarget(): Target {
  const methods = methodsOf(newBackend());
  const numberOf = (path: string) => methods.findIndex((method) => method.path === path);
  const seeds = sampleRequests().map(([path, bytes]) => {
    if (numberOf(path) < 0) throw new Error(`no method ${path}`);
    return callOf(numberOf(path), ...bytes);
  });
  const txnMethod = numberOf('/etcdserverpb.KV/Txn');
  return {
    seeds,
    generate: (random) =>
      random.below(4) === 0 ? nested(random, txnMethod) : changed(random, oneOf(random, seeds)),
    run: runCall,
  };
}
