import { once } from 'node:events';
import { connect } from 'node:net';
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import { bidi, type CallContext, unary } from './service.ts';
import {
  Chat,
  chat,
  get,
  Say,
  say,
  serveWith,
  signalled,
  stopAll,
  TRANSPORTS,
  track,
} from './testing/harness.ts';

afterEach(stopAll);

describe.each(TRANSPORTS)('ports over %s', (_name, create) => {
  const serve = serveWith(create);

  it('answers HTTP/1.1 and gRPC on one port', async () => {
    const { client, port } = await serve([unary(Say, async (text) => text)], {
      http1: (incoming, response) => response.end(`you asked for ${incoming.url}`),
    });
    expect(await say(client, 'over h2')).toBe('over h2');
    expect(await get(port, '/health')).toEqual({
      statusCode: 200,
      body: 'you asked for /health',
    });
    expect(await say(client, 'and again')).toBe('and again');
  });

  it('tells HTTP/2 from HTTP/1.1 when the bytes come one by one', async () => {
    const { port } = await serve([], { http1: (_, response) => response.end('http1') });
    const talk = async (text: string): Promise<Buffer> => {
      const socket = connect(port, '127.0.0.1').setNoDelay(true);
      await once(socket, 'connect');
      for (const byte of Buffer.from(text)) {
        await new Promise<void>((done) => socket.write(Buffer.of(byte), () => done()));
      }
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      return answer;
    };
    expect((await talk('GET / HTTP/1.1\r\nhost: x\r\n\r\n')).toString()).toMatch(/^HTTP\/1.1 200/);
    // A SETTINGS frame (type 4) is what a server says first.
    const frame = await talk('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
    expect(frame[3]).toBe(4);
  });

  it('lets clients go that leave before they have said what they speak', async () => {
    const { client, port } = await serve([unary(Say, async (text) => text)]);
    for (const start of ['', 'P', 'PR', 'PRI']) {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      socket.end(start).resume();
      await once(socket, 'close');
    }
    expect(await say(client, 'fine')).toBe('fine');
  });

  it('survives clients that talk nonsense or reset', async () => {
    const { client, port } = await serve([unary(Say, async (text) => text)]);
    for (const nonsense of ['\x16\x03\x01 a TLS hello', 'PRI * HTTP/2.0\r\n\r\nXX garbage']) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(nonsense);
      socket.resume();
      await once(socket, 'close');
    }
    const reset = connect(port, '127.0.0.1');
    await once(reset, 'connect');
    reset.resetAndDestroy();
    await once(reset, 'close');
    expect(await say(client, 'fine')).toBe('fine');
  });

  it('listens on several addresses', async () => {
    const server = create({
      services: [],
      listen: [
        { host: '127.0.0.1', port: 0 },
        { host: '127.0.0.1', port: 0 },
      ],
      maxReceiveBytes: 1024,
      http1: (_, response) => response.end('ok'),
      logger: silentLogger,
    });
    track(server);
    const bound = await server.start();
    expect(new Set(bound.map(({ port }) => port)).size).toBe(2);
    for (const { port } of bound) expect((await get(port, '/')).body).toBe('ok');
  });

  it('names a port in use, and binds all or nothing', async () => {
    const { port } = await serve([]);
    const probe = await serve([]);
    await probe.server.stop(0);
    const second = create({
      services: [],
      // The first is free, and must be so again afterwards.
      listen: [
        { host: '127.0.0.1', port: probe.port },
        { host: '127.0.0.1', port },
      ],
      maxReceiveBytes: 1024,
      logger: silentLogger,
    });
    await expect(second.start()).rejects.toMatchObject({
      code: 'PortInUse',
      message: expect.stringContaining(String(port)),
    });
    const socket = connect(probe.port, '127.0.0.1');
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    await second.stop(0);
  });

  it('reports an address that is not ours', async () => {
    const server = create({
      services: [],
      listen: [{ host: '192.0.2.1', port: 0 }],
      maxReceiveBytes: 1024,
      logger: silentLogger,
    });
    await expect(server.start()).rejects.toMatchObject({ code: 'ListenFailed' });
  });
});

describe.each(TRANSPORTS)('stop over %s', (_name, create) => {
  const serve = serveWith(create);

  it('lets unary calls finish, ends streams, refuses newcomers', async () => {
    const release = signalled<void>();
    const started = signalled<void>();
    const opened = signalled<void>();
    const { client, server, port } = await serve([
      unary(Say, async (text) => {
        started.resolve();
        await release.promise;
        return text;
      }),
      bidi(Chat, (requests) => {
        requests.onMessage(() => opened.resolve());
        return new Promise(() => {});
      }),
    ]);
    const answer = say(client, 'slow');
    const { call, failure } = chat(client);
    call.resume();
    call.write('x');
    await Promise.all([started.promise, opened.promise]);
    const stopped = server.stop(30_000);
    expect(await failure).toMatchObject({ code: status.UNAVAILABLE });
    const refused = connect(port, '127.0.0.1');
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    release.resolve();
    expect(await answer).toBe('slow');
    await stopped;
  });

  it('cuts what does not end within the grace period', async () => {
    const started = signalled<CallContext>();
    const { client, server } = await serve([
      unary(Say, (_text, context) => {
        started.resolve(context);
        return new Promise(() => {});
      }),
    ]);
    const answer = say(client, 'stuck');
    const rejection = expect(answer).rejects.toMatchObject({ code: expect.any(Number) });
    const { signal } = await started.promise;
    await server.stop(50);
    await rejection;
    expect(signal.aborted).toBe(true);
  });

  it('cuts connections that never said what they are', async () => {
    const { server, port } = await serve([]);
    const silent = connect(port, '127.0.0.1');
    await once(silent, 'connect');
    silent.resume();
    const closed = once(silent, 'close');
    await server.stop(30_000);
    await closed;
  });
});
