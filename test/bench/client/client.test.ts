import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src-main/base/logger.ts';
import { createH2Server } from '../../../src-main/node/rpc/h2/server.ts';
import type { RpcServer } from '../../../src-main/node/rpc/server.ts';
import type { MethodImplementation } from '../../../src-main/node/rpc/service.ts';
import { RpcError, RpcStatus } from '../../../src-main/node/rpc/status.ts';
import {
  PutRequest,
  PutResponse,
  RangeResponse,
  WatchResponse,
} from '../../../src-main/proto/etcd/rpc.ts';
import { Cluster, etcdEngine } from '../cluster.ts';
import type { ClosedLoop, LoadResult, Operation } from '../loads.ts';
import { type Address, authority, callOnce } from './call.ts';
import { runClosedLoop } from './closed-loop.ts';
import { ClientConnection, requestHeaders } from './connection.ts';
import { runFanOut } from './fan-out.ts';
import { runFill } from './fill.ts';
import {
  aimPut,
  headerRevision,
  isAnswerFor,
  keyOf,
  Path,
  putTemplate,
  rangeTemplate,
  readWatchAnswer,
  valueFor,
} from './messages.ts';

const header = { clusterId: 2n ** 63n, memberId: 5n, revision: 2 ** 40, raftTerm: 3 };
const servers: RpcServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(0);
});

async function serve(
  path: string,
  answer: (request: Buffer) => Buffer,
  maxReceiveBytes = 4 * 1024 * 1024,
): Promise<Address> {
  const invoke = async (request: Buffer): Promise<Buffer> => answer(request);
  const method: MethodImplementation = { kind: 'unary', path, invoke };
  const server = createH2Server({
    services: [{ name: 'test', methods: [method] }],
    listen: [{ host: '127.0.0.1', port: 0 }],
    maxReceiveBytes,
    logger: silentLogger,
  });
  servers.push(server);
  const [address] = await server.start();
  return address as Address;
}

function loop(address: Address, operation: Operation, clients: number): Promise<LoadResult> {
  const load: ClosedLoop = {
    kind: 'closedLoop',
    operation,
    addresses: [address],
    clients,
    connections: Math.ceil(clients / 10),
    keys: 100,
    spanKeys: 10,
    warmupMs: 10,
    durationMs: 100,
    seed: 1,
  };
  return runClosedLoop(load);
}

function rangeAnswer(value: Buffer, count = 1): Buffer {
  const kvs = [{ key: keyOf(7), value, createRevision: 9, modRevision: 300, version: 2 }];
  const response = RangeResponse.fromPartial({ header, kvs, count });
  return Buffer.from(RangeResponse.encode(response).finish());
}

describe('messages', () => {
  test('a put is aimed at its key, and its value says which key it is of', () => {
    const template = putTemplate();
    aimPut(template, 7);
    aimPut(template, 123_456_789_012);
    const request = PutRequest.decode(template.subarray(5));
    expect(request.key.toString()).toBe('k000123456789012');
    expect(request.value.equals(valueFor(keyOf(123_456_789_012)))).toBe(true);
    expect(template.readUInt32BE(1)).toBe(template.length - 5);
  });

  test('the revision of any answer is found', () => {
    const bytes = Buffer.from(PutResponse.encode(PutResponse.fromPartial({ header })).finish());
    expect(headerRevision(bytes, 0, bytes.length)).toBe(2 ** 40);
    expect(headerRevision(Buffer.alloc(0), 0, 0)).toBe(0);
  });

  test('only the right pair is a right answer', () => {
    const request = rangeTemplate(false);
    request.set(keyOf(7), 7);
    const isRight = (bytes: Buffer) => isAnswerFor(bytes, 0, bytes.length, request);
    expect(isRight(rangeAnswer(valueFor(keyOf(7))))).toBe(true);
    expect(isRight(rangeAnswer(valueFor(keyOf(8))))).toBe(false);
    expect(isRight(rangeAnswer(valueFor(keyOf(7)).subarray(1)))).toBe(false);
    expect(isRight(rangeAnswer(valueFor(keyOf(7)), 2))).toBe(false);
    request.set(keyOf(8), 7);
    expect(isRight(rangeAnswer(valueFor(keyOf(7))))).toBe(false);
  });

  test('watch answers are read', () => {
    const events = [5, 6].map((modRevision) => ({ kv: { key: keyOf(1), modRevision } }));
    const read = (part: object) => {
      const bytes = Buffer.from(WatchResponse.encode(WatchResponse.fromPartial(part)).finish());
      return { ...readWatchAnswer(bytes, 0, bytes.length) };
    };
    expect(read({ header, watchId: 300, events })).toMatchObject({
      watchId: 300,
      events: 2,
      lastRevision: 6,
      ascending: true,
    });
    expect(read({ header, events: events.reverse() }).ascending).toBe(false);
    expect(read({ header, watchId: 4, created: true })).toMatchObject({ created: true, events: 0 });
    expect(read({ canceled: true, cancelReason: 'why' }).canceled).toBe(true);
  });
});

describe('against our server', () => {
  test('messages of any size go both ways, past every window', async () => {
    const address = await serve('/test/Echo', (request) => request);
    for (const bytes of [0, 1, 16_379, 16_380, 70_000, 1_500_000]) {
      const framed = Buffer.alloc(5 + bytes, bytes % 251);
      framed[0] = 0;
      framed.writeUInt32BE(bytes, 1);
      const answer = await callOnce(address, '/test/Echo', framed);
      expect(answer.equals(framed.subarray(5))).toBe(true);
    }
  });

  test('a status other than OK reaches the caller', async () => {
    const address = await serve('/test/No', () => {
      throw new RpcError(RpcStatus.NOT_FOUND, 'not here');
    });
    await expect(callOnce(address, '/test/No', putTemplate())).rejects.toThrow('5 not here');
    await expect(callOnce(address, '/test/Other', putTemplate())).rejects.toThrow('12');
  });

  test('calls under way fail when the connection goes', async () => {
    const address = await serve('/test/Never', () => Buffer.alloc(0));
    const connection = await ClientConnection.connect(address.host, address.port);
    const ended = new Promise<number>((resolve) => {
      const listener = { onMessage: () => {}, onEnd: (status: number) => resolve(status) };
      connection.open(requestHeaders('/test/Never', authority(address)), listener);
    });
    await servers.pop()?.stop(0);
    expect(await ended).toBe(-1);
    expect(connection.failure).toBeDefined();
  });

  test('every answer of a load is counted, right or wrong', async () => {
    const bytes = Buffer.from(PutResponse.encode(PutResponse.fromPartial({ header })).finish());
    let served = 0;
    const address = await serve(Path.put, () => {
      served++;
      return served % 10 === 0 ? Buffer.alloc(0) : bytes;
    });
    const result = await loop(address, 'put', 20);
    expect(result.succeeded + result.errors).toBe(served);
    expect(result.errors).toBe(Math.floor(served / 10));
    expect(result.firstError).toBe('a wrong answer');
    expect(result.operations).toBeLessThanOrEqual(result.succeeded);
  });
});

describe.runIf(etcdEngine() !== undefined)('against etcd', () => {
  let cluster: Cluster;
  let address: Address;
  beforeAll(async () => {
    cluster = await Cluster.start(etcdEngine() ?? { name: '', command: '', args: [] }, 1);
    address = await cluster.leader();
    await runFill({ kind: 'fill', address, keys: 250, rounds: 2 });
  });
  afterAll(() => cluster.destroy());

  test.each<Operation>(['put', 'range', 'rangeSerializable', 'span'])('%s', async (operation) => {
    const result = await loop(address, operation, 20);
    expect(result).toMatchObject({ errors: 0, firstError: '' });
    expect(result.operations).toBeGreaterThan(0);
    expect(result.buckets.length).toBeGreaterThan(0);
  });

  test('a key that is not there is a wrong answer', async () => {
    const load = { kind: 'closedLoop', operation: 'range' } as const;
    const shape = { clients: 1, connections: 1, keys: 2 ** 30, spanKeys: 1 };
    const times = { warmupMs: 0, durationMs: 50, seed: 5 };
    const result = await runClosedLoop({ ...load, addresses: [address], ...shape, ...times });
    expect(result.succeeded).toBe(0);
    expect(result.firstError).toBe('a wrong answer');
  });

  test('each watcher gets each event', async () => {
    const result = await runFanOut({
      kind: 'fanOut',
      address,
      watchers: 30,
      connections: 2,
      streamsPerConnection: 2,
      durationMs: 50,
    });
    expect(result.operations % 30).toBe(0);
    expect(result.operations).toBeGreaterThan(0);
  });
});
