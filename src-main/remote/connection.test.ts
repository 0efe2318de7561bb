import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { status as GrpcStatus, Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { freePorts } from '../base/testing/free-ports.ts';
import { type KVServer, KVService, PutResponse, RangeResponse } from '../proto/etcd/rpc.ts';
import { EtcdConnection } from './connection.ts';
import { eventually, hasEtcd, TestEtcd } from './testing/etcd.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function connect(endpoints: string[], options = {}): EtcdConnection {
  const connection = new EtcdConnection(endpoints, options);
  cleanups.push(() => connection.dispose());
  return connection;
}

async function closedEndpoint(): Promise<string> {
  return `127.0.0.1:${(await freePorts(1))[0]}`;
}

/** A KV server that answers as told and counts. */
async function kvServer(onPut: 'answer' | 'hang' | 'fail' = 'answer') {
  const counts = { put: 0, range: 0 };
  const server = new Server();
  const unused = () => {};
  const service: KVServer = {
    range(_call, callback) {
      counts.range += 1;
      callback(null, RangeResponse.create());
    },
    put(_call, callback) {
      counts.put += 1;
      if (onPut === 'answer') callback(null, PutResponse.create());
      if (onPut === 'fail') {
        callback({ code: GrpcStatus.UNAVAILABLE, details: 'etcdserver: request timed out' });
      }
    },
    deleteRange: unused,
    txn: unused,
    compact: unused,
  };
  server.addService(KVService, service);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  cleanups.push(() => server.forceShutdown());
  return { endpoint: `127.0.0.1:${port}`, counts, server };
}

/** Accepts connections and says nothing, or speaks something else. */
async function tcpServer(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const key = Buffer.from('k');

describe('EtcdConnection', () => {
  it('names the endpoint that refuses the connection', async () => {
    const endpoint = await closedEndpoint();
    await expect(connect([endpoint]).range({ key })).rejects.toMatchObject({
      code: 'Unavailable',
      message: `cannot connect to ${endpoint}: connection refused`,
      outcome: 'unsent',
    });
  });

  it('sends reads and unsent writes to the endpoint that answers', async () => {
    const alive = await kvServer();
    const connection = connect([await closedEndpoint(), await closedEndpoint(), alive.endpoint]);
    for (let i = 0; i < 6; i++) await connection.put({ key });
    for (let i = 0; i < 6; i++) await connection.range({ key });
    expect(alive.counts).toEqual({ put: 6, range: 6 });
  });

  it('asks the endpoint that answered first, after a failure', async () => {
    const alive = await kvServer();
    const connection = connect([await closedEndpoint(), alive.endpoint]);
    await connection.range({ key });
    await connection.range({ key });
    for (let i = 0; i < 3; i++) {
      expect(connection.candidates()[0]?.endpoint.address).toBe(alive.endpoint);
    }
  });

  it('never repeats a write whose answer was lost, and says that it may have happened', async () => {
    const lost = await kvServer('hang');
    const other = await kvServer();
    const connection = connect([lost.endpoint, other.endpoint]);
    const write = connection.put({ key });
    // The connection breaks once the request is there.
    while (lost.counts.put === 0) await new Promise((resolve) => setImmediate(resolve));
    lost.server.forceShutdown();
    await expect(write).rejects.toMatchObject({
      outcome: 'unknown',
      message: expect.stringContaining('may or may not have been applied'),
    });
    expect(lost.counts.put).toBe(1);
    expect(other.counts.put).toBe(0);
  });

  it('never repeats a write that the server itself left open', async () => {
    const failing = await kvServer('fail');
    const other = await kvServer();
    const write = connect([failing.endpoint, other.endpoint]).put({ key });
    await expect(write).rejects.toMatchObject({ code: 'Timeout', outcome: 'unknown' });
    expect(other.counts.put).toBe(0);
  });

  it('leaves a hanging endpoint for another when reading', async () => {
    const hanging = await tcpServer(() => {});
    const alive = await kvServer();
    const connection = connect([hanging, alive.endpoint], { attemptTimeoutMs: 200 });
    await connection.range({ key });
    expect(alive.counts.range).toBe(1);
  });

  it('knows a write to be unsent that never got a connection', async () => {
    const hanging = await tcpServer(() => {});
    const write = connect([hanging], { timeoutMs: 300 }).put({ key });
    await expect(write).rejects.toMatchObject({ outcome: 'unsent', code: 'Timeout' });
  });

  it('tells a TLS client that the endpoint speaks no TLS', async () => {
    const plain = await tcpServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await expect(connect([`https://${plain}`]).range({ key })).rejects.toMatchObject({
      code: 'Unavailable',
      hint: expect.stringContaining('http:// or https://'),
    });
  });

  it('says that a host name cannot be resolved', async () => {
    const range = connect(['no-such-host.invalid:2379'], { timeoutMs: 4_000 }).range({ key });
    await expect(range).rejects.toMatchObject({ outcome: 'unsent' });
  });

  it('says what an endpoint that is no etcd does not offer', async () => {
    const { endpoint } = await kvServer();
    await expect(connect([endpoint]).memberList()).rejects.toMatchObject({
      code: 'Unsupported',
      message: `${endpoint} does not offer MemberList`,
    });
  });

  it('ends a call when it is aborted', async () => {
    const { endpoint } = await kvServer('hang');
    const abort = new AbortController();
    const write = connect([endpoint]).put({ key }, { signal: abort.signal });
    abort.abort();
    await expect(write).rejects.toMatchObject({ code: 'Cancelled' });
  });

  it('refuses calls once it is disposed', async () => {
    const connection = connect(['127.0.0.1:1']);
    connection.dispose();
    await expect(connection.range({ key })).rejects.toMatchObject({ code: 'Cancelled' });
  });

  it('closes the connections of endpoints that are dropped', async () => {
    const alive = await kvServer();
    const connection = connect([alive.endpoint]);
    await connection.range({ key });
    connection.setEndpoints([await closedEndpoint()]);
    await expect(connection.range({ key })).rejects.toMatchObject({ code: 'Unavailable' });
    expect(alive.counts.range).toBe(1);
  });
});

describe.skipIf(!hasEtcd)('EtcdConnection with a real etcd', () => {
  it('fails at once where there is no leader, instead of waiting', async () => {
    const members = await TestEtcd.startCluster(3);
    cleanups.push(() => Promise.all(members.map((member) => member.dispose())));
    const [first, ...others] = members;
    const connection = connect([first?.clientUrl ?? '']);
    await connection.put({ key });
    await Promise.all(others.map((member) => member.kill()));
    await eventually(async () => {
      const { leader } = await connection.status(first?.clientUrl ?? '');
      return leader === 0n ? true : undefined;
    }, 'the last member notices');
    const startedAtMs = performance.now();
    await expect(connection.put({ key })).rejects.toMatchObject({
      code: 'NoLeader',
      outcome: 'unsent',
    });
    await expect(connection.range({ key })).rejects.toMatchObject({ code: 'NoLeader' });
    expect(performance.now() - startedAtMs).toBeLessThan(4_000);
  });

  it('finds a restarted server again without being told', async () => {
    const etcd = await TestEtcd.start();
    cleanups.push(() => etcd.dispose());
    const connection = connect([etcd.clientUrl]);
    await connection.put({ key, value: Buffer.from('v') });
    await etcd.kill();
    await expect(connection.range({ key })).rejects.toMatchObject({ code: 'Unavailable' });
    await etcd.start();
    const deadline = performance.now() + 5_000;
    let found: string | undefined;
    while (found === undefined && performance.now() < deadline) {
      found = await connection.range({ key }).then(
        (response) => response.kvs[0]?.value.toString(),
        () => undefined,
      );
    }
    expect(found).toBe('v');
  });
});
