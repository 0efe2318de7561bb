import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../base/logger.ts';
import { bidi, unary } from '../service.ts';
import { Chat, Say, serveWith, signalled, stopAll } from '../testing/harness.ts';
import { H2Connection } from './connection.ts';
import { ErrorCode, Flag, FrameType, Setting } from './frames.ts';
import * as limits from './limits.ts';
import { createH2Server } from './server.ts';
import { GRPC_REQUEST, grpcMessage, RawClient, uint32 } from './testing/raw-client.ts';

const clients: RawClient[] = [];
const serve = serveWith(createH2Server);

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await stopAll();
});

async function open(port: number, settings: readonly (readonly [number, number])[] = []) {
  const client = await RawClient.connect(port, settings);
  clients.push(client);
  return client;
}

async function echo(options: Parameters<typeof serve>[1] = {}) {
  const { port } = await serve([unary(Say, async (text) => text)], options);
  return open(port);
}

/** Waits for the GOAWAY and for the end, and answers the code. */
async function goAway(client: RawClient): Promise<number> {
  const frame = await client.ofType(FrameType.GOAWAY);
  await client.closed;
  return frame.payload.readUInt32BE(4);
}

async function resetCode(client: RawClient, id: number): Promise<number> {
  const frame = await client.next((each) => each.id === id && each.type === FrameType.RST_STREAM);
  return frame.payload.readUInt32BE(0);
}

describe('requests', () => {
  it('takes an :authority that is a URL, as etcdctl sends it', async () => {
    const client = await echo();
    client.request(1, 'hello', { ':authority': 'http://127.0.0.1:2379' });
    const { body, trailers } = await client.response(1);
    expect(body).toEqual(grpcMessage('hello'));
    expect(trailers).toEqual({ 'grpc-status': '0' });
  });

  it('takes padding, priorities, CONTINUATION, trailers and unknown frames', async () => {
    const client = await echo();
    const block = client.block(GRPC_REQUEST);
    const head = Buffer.concat([Buffer.of(3), uint32(0), Buffer.of(16), block.subarray(0, 10)]);
    const padded = Buffer.concat([head, Buffer.alloc(3)]);
    client.send(0xbe, 0xff, 0, Buffer.from('what is this'));
    client.send(FrameType.HEADERS, Flag.PADDED | Flag.PRIORITY, 1, padded);
    client.send(FrameType.CONTINUATION, 0, 1, block.subarray(10, 20));
    client.send(FrameType.CONTINUATION, Flag.END_HEADERS, 1, block.subarray(20));
    client.send(FrameType.PRIORITY, 0, 1, Buffer.alloc(5));
    const message = grpcMessage('pieces');
    for (const byte of message) {
      client.send(FrameType.DATA, Flag.PADDED, 1, Buffer.of(2, byte, 0, 0));
    }
    client.headers(1, { 'x-trailer': 'yes' }, Flag.END_HEADERS | Flag.END_STREAM);
    expect((await client.response(1)).body).toEqual(message);
  });

  it('answers PING', async () => {
    const client = await echo();
    client.send(FrameType.PING, 0, 0, Buffer.from('12345678'));
    const pong = await client.ofType(FrameType.PING);
    expect(pong).toMatchObject({ flags: Flag.ACK, payload: Buffer.from('12345678') });
  });

  it.each([
    ['GET', { ':method': 'GET' }, '405'],
    ['another content type', { 'content-type': 'text/plain' }, '415'],
    ['a content type that only begins so', { 'content-type': 'application/grpcx' }, '415'],
  ])('answers %s over HTTP', async (_what, headers, status) => {
    const client = await echo();
    client.headers(1, { ...GRPC_REQUEST, ...headers }, Flag.END_HEADERS | Flag.END_STREAM);
    expect((await client.response(1)).trailers).toMatchObject({ ':status': status });
  });

  it.each([
    ['a capital in a name', { 'X-Capital': '1' }],
    ['a connection header', { connection: 'close' }],
    ['another te', { te: 'gzip' }],
    ['an unknown pseudo-header', { ':what': '1' }],
    ['no path', { ':path': '' }],
  ])('resets a request with %s, and goes on', async (_what, headers) => {
    const client = await echo();
    const { te, 'content-type': type, ...pseudo } = GRPC_REQUEST;
    client.headers(1, { ...pseudo, ...headers, 'content-type': type ?? '' });
    expect(te).toBe('trailers');
    expect(await resetCode(client, 1)).toBe(ErrorCode.PROTOCOL_ERROR);
    client.request(3, 'next');
    expect((await client.response(3)).body).toEqual(grpcMessage('next'));
  });

  it('unpacks gzip, within the limit', async () => {
    const client = await echo({ maxReceiveBytes: 10_000 });
    const send = (id: number, payload: Buffer, encoding: string | undefined): void => {
      client.headers(id, { ...GRPC_REQUEST, ...(encoding && { 'grpc-encoding': encoding }) });
      client.send(FrameType.DATA, Flag.END_STREAM, id, grpcMessage(payload, 1));
    };
    send(1, gzipSync('packed'), 'gzip');
    expect((await client.response(1)).body).toEqual(grpcMessage('packed'));
    send(3, gzipSync(Buffer.alloc(1_000_000)), 'gzip');
    expect((await client.response(3)).trailers).toMatchObject({ 'grpc-status': '8' });
    send(5, Buffer.from('no gzip'), 'gzip');
    expect((await client.response(5)).trailers).toMatchObject({ 'grpc-status': '13' });
    send(7, gzipSync('packed'), undefined);
    expect((await client.response(7)).trailers).toMatchObject({ 'grpc-status': '13' });
    send(9, Buffer.from('?'), 'zstd');
    expect((await client.response(9)).trailers).toMatchObject({ 'grpc-status': '12' });
  });

  it('answers broken gRPC with a status', async () => {
    const client = await echo();
    const send = (id: number, payload: Buffer): void => {
      client.headers(id, GRPC_REQUEST);
      client.send(FrameType.DATA, Flag.END_STREAM, id, payload);
    };
    const failed = async (id: number, status: string): Promise<void> => {
      expect((await client.response(id)).trailers).toMatchObject({ 'grpc-status': status });
    };
    send(1, Buffer.alloc(0));
    await failed(1, '13');
    send(3, grpcMessage('cut off').subarray(0, 8));
    await failed(3, '13');
    send(5, Buffer.concat([grpcMessage('one'), grpcMessage('two')]));
    await failed(5, '13');
    client.request(7, 'x', { 'grpc-timeout': 'soon' });
    await failed(7, '13');
    client.request(9, 'x', { ':path': '/test.Echo/Nothing' });
    await failed(9, '12');
  });

  it('refuses a message that is too large by its prefix, and asks to stop', async () => {
    const client = await echo({ maxReceiveBytes: 1000 });
    client.headers(1, GRPC_REQUEST);
    client.send(FrameType.DATA, 0, 1, Buffer.concat([Buffer.of(0), uint32(1001)]));
    const { trailers } = await client.response(1);
    expect(trailers).toMatchObject({
      'grpc-status': '8',
      'grpc-message': 'grpc: received message larger than max (1001 vs. 1000)',
    });
    expect(await resetCode(client, 1)).toBe(ErrorCode.NO_ERROR);
    // What crosses the reset does no harm.
    client.send(FrameType.DATA, Flag.END_STREAM, 1, Buffer.alloc(1001));
    client.request(3, 'next');
    expect((await client.response(3)).body).toEqual(grpcMessage('next'));
  });
});

describe('flow control', () => {
  it('answers 1 MB through a tiny window', async () => {
    const text = 'x'.repeat(1_000_000);
    const { port } = await serve([unary(Say, async () => text)]);
    const client = await open(port, [[Setting.INITIAL_WINDOW_SIZE, 1000]]);
    client.request(1, 'go');
    const ofStream = (): Promise<unknown> =>
      client.next(({ id, type }) => id === 1 && type === FrameType.DATA);
    let bytes = 0;
    while (bytes < text.length + 5) {
      await ofStream();
      const data = client.frames.filter(({ type }) => type === FrameType.DATA);
      const total = data.reduce((sum, { payload }) => sum + payload.length, 0);
      // Never more than was allowed.
      expect(total).toBeLessThanOrEqual(1000 + bytes);
      const increment = total - bytes;
      bytes = total;
      if (increment === 0) continue;
      client.send(FrameType.WINDOW_UPDATE, 0, 1, uint32(increment));
      client.send(FrameType.WINDOW_UPDATE, 0, 0, uint32(increment));
    }
    expect((await client.next(({ id }) => id === 1)).fields).toEqual({ 'grpc-status': '0' });
  });

  it('follows a change of the initial window, below zero too', async () => {
    const text = 'x'.repeat(3000);
    const { port } = await serve([unary(Say, async () => text)]);
    const client = await open(port, [[Setting.INITIAL_WINDOW_SIZE, 1000]]);
    client.request(1, 'go');
    const isData = ({ type }: { type: number }): boolean => type === FrameType.DATA;
    expect((await client.next(isData)).payload).toHaveLength(1000);
    const setWindow = (bytes: number): void => {
      const payload = Buffer.alloc(6);
      payload.writeUInt16BE(Setting.INITIAL_WINDOW_SIZE);
      payload.writeUInt32BE(bytes, 2);
      client.send(FrameType.SETTINGS, 0, 0, payload);
    };
    setWindow(0);
    client.send(FrameType.WINDOW_UPDATE, 0, 1, uint32(1500));
    expect((await client.next(isData)).payload).toHaveLength(500);
    setWindow(100_000);
    expect((await client.next(isData)).payload).toHaveLength(1505);
  });

  it('takes an upload of 5 MB', async () => {
    const { client } = await serve([unary(Say, async (text) => String(text.length))], {
      maxReceiveBytes: 6_000_000,
    });
    const answer = await new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        Say.path,
        (text: string) => Buffer.from(text),
        String,
        'x'.repeat(5_000_000),
        (error, value) => (error ? reject(error) : resolve(value)),
      );
    });
    expect(answer).toBe('5000000');
  });

  it('closes on a client that exceeds the window of a stream that is not read', async () => {
    const { port } = await serve([bidi(Chat, () => new Promise(() => {}))]);
    const client = await open(port);
    client.headers(1, { ...GRPC_REQUEST, ':path': Chat.path });
    const message = grpcMessage(Buffer.alloc(16_000));
    for (let sent = 0; sent <= limits.STREAM_RECEIVE_WINDOW_BYTES; sent += message.length) {
      client.send(FrameType.DATA, 0, 1, message);
    }
    expect(await resetCode(client, 1)).toBe(ErrorCode.FLOW_CONTROL_ERROR);
    // Nothing was taken, so the stream got no credit; the connection did not lose any.
    expect(client.frames.some(({ id, type }) => id === 1 && type === FrameType.WINDOW_UPDATE)).toBe(
      false,
    );
  });
});

describe('errors of the connection', () => {
  const ping = Buffer.alloc(8);
  const cases: [string, number, (client: RawClient) => void][] = [
    ['DATA on stream 0', ErrorCode.PROTOCOL_ERROR, (c) => c.send(FrameType.DATA, 0, 0, ping)],
    ['DATA on an idle stream', ErrorCode.PROTOCOL_ERROR, (c) => c.send(FrameType.DATA, 0, 5, ping)],
    ['an even stream', ErrorCode.PROTOCOL_ERROR, (c) => c.headers(2, GRPC_REQUEST)],
    ['a push', ErrorCode.PROTOCOL_ERROR, (c) => c.send(FrameType.PUSH_PROMISE, 4, 1, ping)],
    ['a lone CONTINUATION', ErrorCode.PROTOCOL_ERROR, (c) => c.send(FrameType.CONTINUATION, 4, 1)],
    [
      'a frame amid headers',
      ErrorCode.PROTOCOL_ERROR,
      (c) => {
        c.headers(1, GRPC_REQUEST, 0);
        c.send(FrameType.PING, 0, 0, ping);
      },
    ],
    ['a short PING', ErrorCode.FRAME_SIZE_ERROR, (c) => c.send(FrameType.PING, 0, 0, uint32(1))],
    ['odd SETTINGS', ErrorCode.FRAME_SIZE_ERROR, (c) => c.send(FrameType.SETTINGS, 0, 0, ping)],
    [
      'a frame too large',
      ErrorCode.FRAME_SIZE_ERROR,
      (c) => c.send(FrameType.DATA, 0, 1, Buffer.alloc(16_385)),
    ],
    [
      'a window too large',
      ErrorCode.FLOW_CONTROL_ERROR,
      (c) => c.send(FrameType.WINDOW_UPDATE, 0, 0, uint32(2 ** 31 - 1)),
    ],
    [
      'bad HPACK',
      ErrorCode.COMPRESSION_ERROR,
      (c) => c.send(FrameType.HEADERS, Flag.END_HEADERS, 1, Buffer.of(0x80)),
    ],
    [
      'too many CONTINUATION frames',
      ErrorCode.ENHANCE_YOUR_CALM,
      (c) => {
        c.send(FrameType.HEADERS, 0, 1, Buffer.of(0x82));
        for (let i = 0; i <= limits.MAX_CONTINUATION_FRAMES; i++) {
          c.send(FrameType.CONTINUATION, 0, 1, Buffer.of(0x82));
        }
      },
    ],
  ];
  it.each(cases)('%s', async (_what, code, provoke) => {
    const client = await echo();
    provoke(client);
    expect(await goAway(client)).toBe(code);
  });

  const floods: [string, (client: RawClient, i: number) => void][] = [
    ['PING', (c) => c.send(FrameType.PING, 0, 0, ping)],
    ['SETTINGS', (c) => c.send(FrameType.SETTINGS, 0, 0)],
    ['unknown frames', (c) => c.send(0xaa, 0, 0)],
    ['empty DATA', (c, i) => (i === 0 ? c.headers(1, GRPC_REQUEST) : c.send(FrameType.DATA, 0, 1))],
    [
      'rapid resets',
      (c, i) => {
        c.headers(2 * i + 1, GRPC_REQUEST);
        c.send(FrameType.RST_STREAM, 0, 2 * i + 1, uint32(ErrorCode.CANCEL));
      },
    ],
    [
      'streams that make us reset',
      (c, i) => {
        c.headers(2 * i + 1, GRPC_REQUEST);
        c.send(FrameType.WINDOW_UPDATE, 0, 2 * i + 1, uint32(0));
      },
    ],
  ];
  it.each(floods)('a flood of %s', async (_what, send) => {
    const client = await echo();
    client.socket.cork();
    for (let i = 0; i < limits.MAX_CONTROL_FRAMES_PER_WINDOW + 10; i++) send(client, i);
    client.socket.uncork();
    expect(await goAway(client)).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });

  it('resets a request whose headers are too many', async () => {
    const client = await echo();
    const large: Record<string, string> = { ...GRPC_REQUEST };
    for (let i = 0; i < 7; i++) large[`x-${i}`] = 'v'.repeat(10_000);
    const block = client.block(large);
    client.send(FrameType.HEADERS, 0, 1, block.subarray(0, 16_384));
    for (let at = 16_384; at < block.length; at += 16_384) {
      const last = at + 16_384 >= block.length;
      const flags = last ? Flag.END_HEADERS : 0;
      client.send(FrameType.CONTINUATION, flags, 1, block.subarray(at, at + 16_384));
    }
    expect(await resetCode(client, 1)).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    client.request(3, 'next');
    expect((await client.response(3)).body).toEqual(grpcMessage('next'));
  });

  it('refuses streams beyond the limit and serves the others', async () => {
    const release = signalled<void>();
    const { port } = await serve([
      unary(Say, async (text) => {
        await release.promise;
        return text;
      }),
    ]);
    const client = await open(port);
    client.socket.cork();
    const last = limits.MAX_CONCURRENT_STREAMS * 2 + 1;
    for (let id = 1; id <= last; id += 2) client.request(id, 'x');
    client.socket.uncork();
    expect(await resetCode(client, last)).toBe(ErrorCode.REFUSED_STREAM);
    release.resolve();
    expect((await client.response(last - 2)).body).toEqual(grpcMessage('x'));
  });

  it('does not wait for ever for a preface', async () => {
    const accepted = signalled<Socket>();
    const listener = createServer((socket) => accepted.resolve(socket)).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const address = listener.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const silent = connect(port, '127.0.0.1');
    silent.resume();
    const connection = new H2Connection(await accepted.promise, {
      logger: silentLogger,
      onRequest: () => {},
      schedule: (dirty) => setImmediate(() => dirty.flush()),
      onClose: () => {},
      prefaceTimeoutMs: 20,
    });
    expect(connection).toBeDefined();
    await once(silent, 'close');
    listener.close();
  });
});

describe('a client that does not read', () => {
  it('costs its streams no more than their limits, and gets all in the end', async () => {
    const pieces = 200;
    const message = 'x'.repeat(64 * 1024);
    const full = signalled<number>();
    const { port } = await serve([
      bidi(Chat, (requests, responses) => {
        let written = 0;
        return new Promise((resolve) => {
          requests.onMessage(() => {});
          const fill = (): void => {
            while (written < pieces) {
              written += 1;
              if (!responses.write(message)) {
                full.resolve(written);
                return;
              }
            }
            resolve();
          };
          responses.onDrain(fill);
          fill();
        });
      }),
    ]);
    const client = await open(port, [[Setting.INITIAL_WINDOW_SIZE, 2 ** 31 - 1]]);
    client.send(FrameType.WINDOW_UPDATE, 0, 0, uint32(2 ** 30));
    client.socket.pause();
    client.headers(1, { ...GRPC_REQUEST, ':path': Chat.path });
    client.send(FrameType.DATA, 0, 1, grpcMessage('go'));
    expect(await full.promise).toBeLessThan(pieces);
    client.socket.resume();
    const { body, trailers } = await client.response(1);
    expect(body.length).toBe(pieces * (message.length + 5));
    expect(trailers).toEqual({ 'grpc-status': '0' });
  });
});
