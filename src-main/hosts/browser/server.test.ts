import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, encode } from '@msgpack/msgpack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { silentLogger } from '../../base/logger.ts';
import { MAX_FRAME_BYTES, type ServerFrame } from '../../contract/wire.ts';
import { type App, createApp } from '../../services/app.ts';
import { StaticFiles } from '../security/static-files.ts';
import { isLoopbackHost, isSameOrigin } from './access.ts';
import { BrowserServer } from './server.ts';

let dir: string;
let app: App;
let server: BrowserServer;
let url: URL;
let cookie: string;

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Not fetch: it would mend the paths and headers that are the point here. */
function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: url.port, path, method, headers };
    const outgoing = request(options, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

const page = (path: string, headers: Record<string, string> = {}) =>
  get(path, { cookie, ...headers });

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raftdeck-browser-'));
  const renderer = join(dir, 'renderer');
  await mkdir(join(renderer, 'assets'), { recursive: true });
  await writeFile(join(renderer, 'index.html'), '<!doctype html><title>Raftdeck</title>');
  await writeFile(join(renderer, 'assets', 'app.js'), 'export {};');
  await writeFile(join(renderer, 'assets', 'font.woff2'), 'x');
  await writeFile(join(renderer, 'assets', 'run.sh'), 'x');
  await writeFile(join(renderer, '.env.json'), '{}');
  await writeFile(join(dir, 'secret.json'), '{"secret":1}');
  await symlink(join(dir, 'secret.json'), join(renderer, 'link.json'));
  app = await createApp({
    dataDir: join(dir, 'data'),
    hostKind: 'browser',
    logger: silentLogger,
  });
  server = new BrowserServer(app, new StaticFiles(renderer), silentLogger);
  url = new URL(await server.listen(0));
  const entered = await get(`/${url.search}`);
  cookie = (entered.headers['set-cookie']?.[0] ?? '').split(';')[0] ?? '';
});

afterAll(async () => {
  await server?.close();
  await app?.close();
  await rm(dir, { recursive: true, force: true });
});

describe('access', () => {
  it('listens on loopback, with a token of 32 bytes', () => {
    expect(url.hostname).toBe('127.0.0.1');
    expect(Buffer.from(url.searchParams.get('token') ?? '', 'base64url')).toHaveLength(32);
  });

  it('trades the token for a cookie that no script can read and no other site can send', async () => {
    const answer = await get(`/${url.search}`);
    expect(answer.status).toBe(200);
    const [header = ''] = answer.headers['set-cookie'] ?? [];
    expect(header).toMatch(/; HttpOnly; SameSite=Strict; Path=\/$/);
    expect(header).not.toContain(url.searchParams.get('token'));
  });

  it.each(['/', '/?token=', '/?token=wrong', '/index.html', '/assets/app.js'])(
    'says why it refuses %s without token',
    async (path) => {
      const answer = await get(path);
      expect(answer.status).toBe(401);
      expect(answer.body).toContain('token');
      expect(answer.headers['set-cookie']).toBeUndefined();
    },
  );

  it('refuses a wrong cookie', async () => {
    const [name] = cookie.split('=');
    expect((await get('/', { cookie: `${name}=wrong` })).status).toBe(401);
    expect((await get('/', { cookie: `other=1; ${cookie}` })).status).toBe(200);
  });

  it.each(['evil.example', 'evil.example:1', '127.0.0.1.evil.example', 'localhost@evil', ':1'])(
    'refuses the host %j, even with token and cookie',
    async (host) => {
      expect((await page('/', { host })).status).toBe(403);
      expect((await get(`/${url.search}`, { host })).headers['set-cookie']).toBeUndefined();
    },
  );

  it('refuses requests of other sites', async () => {
    expect((await page('/', { origin: 'http://evil.example' })).status).toBe(403);
    expect((await page('/', { origin: 'null' })).status).toBe(403);
    expect((await page('/', { origin: url.origin })).status).toBe(200);
  });

  it('knows loopback by any port, and origin only by its own', () => {
    expect(isLoopbackHost('localhost:9999')).toBe(true);
    expect(isLoopbackHost('[::1]:80')).toBe(true);
    expect(isLoopbackHost(undefined)).toBe(false);
    expect(isSameOrigin('http://localhost:1', 'localhost:1')).toBe(true);
    expect(isSameOrigin('http://localhost:2', 'localhost:1')).toBe(false);
    expect(isSameOrigin(undefined, 'localhost:1')).toBe(false);
  });
});

describe('files', () => {
  it.each([
    ['/', 'text/html; charset=utf-8'],
    ['/assets/app.js', 'text/javascript; charset=utf-8'],
    ['/assets/font.woff2', 'font/woff2'],
  ])('serves %s as %s', async (path, type) => {
    const answer = await page(path);
    expect([answer.status, answer.headers['content-type']]).toEqual([200, type]);
  });

  it.each([
    '/../secret.json',
    '/assets/../../secret.json',
    '/%2e%2e/secret.json',
    '/..%2fsecret.json',
    '/assets/%2e%2e%2f%2e%2e%2fsecret.json',
    '/..\\secret.json',
    '/%5c..%5csecret.json',
    '//secret.json',
    '/link.json',
    '/.env.json',
    '/assets/run.sh',
    '/assets',
    '/nothing.js',
    '/%00',
    '/%',
    '/index.html/',
  ])('does not serve %s', async (path) => {
    const answer = await page(path);
    expect(answer.status).toBe(404);
    expect(answer.body).not.toContain('secret');
  });

  it('answers GET and HEAD only', async () => {
    expect((await get('/', { cookie }, 'POST')).status).toBe(405);
    const head = await get('/', { cookie }, 'HEAD');
    expect([head.status, head.body]).toEqual([200, '']);
  });

  it.each(['/', '/nothing', '/assets/app.js'])('sends the policy with %s', async (path) => {
    const { headers } = await page(path);
    const policy = headers['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
  });

  it('survives what is no HTTP', async () => {
    const socket = connect(Number(url.port), '127.0.0.1');
    socket.write('\x00\x01 nonsense\r\n\r\n');
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(data.toString()).toMatch(/^HTTP\/1\.1 400/);
    socket.destroy();
    expect((await page('/')).status).toBe(200);
  });
});

function open(headers: Record<string, string> = {}, path = '/ws'): WebSocket {
  return new WebSocket(`ws://${url.host}${path}`, {
    headers: { cookie, origin: url.origin, ...headers },
  });
}

/** The status with which the upgrade is refused. */
async function refusal(socket: WebSocket): Promise<number> {
  socket.on('error', () => {});
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    { statusCode: number },
  ];
  return response.statusCode;
}

async function ask(socket: WebSocket, frame: unknown): Promise<ServerFrame> {
  const answer = once(socket, 'message');
  socket.send(encode(frame));
  const [data] = (await answer) as [Buffer];
  return decode(data) as ServerFrame;
}

describe('WebSocket', () => {
  it('answers calls', async () => {
    const socket = open();
    await once(socket, 'open');
    const frame = await ask(socket, { t: 'call', id: 1, name: 'app.info', input: {} });
    expect(frame).toMatchObject({ t: 'result', id: 1, output: { host: 'browser' } });
    socket.close();
  });

  it.each([
    ['a foreign origin', { origin: 'http://evil.example' }, 403],
    ['another port of this machine', { origin: 'http://127.0.0.1:1' }, 403],
    ['a rebound host', { host: 'evil.example', origin: 'http://evil.example' }, 403],
    ['no cookie', { cookie: '' }, 401],
    ['a wrong cookie', { cookie: 'raftdeck=1' }, 401],
  ] as [string, Record<string, string>, number][])('refuses %s', async (_, headers, status) => {
    expect(await refusal(open(headers))).toBe(status);
  });

  it('refuses a client without origin, and other paths', async () => {
    const bare = new WebSocket(`ws://${url.host}/ws`, { headers: { cookie } });
    expect(await refusal(bare)).toBe(403);
    expect(await refusal(open({}, '/other'))).toBe(404);
  });

  it.each([
    ['text', 'hello', 1007],
    ['what is no MessagePack', Buffer.from([0xc1]), 1007],
    ['half a message', encode({ t: 'call' }).slice(0, 4), 1007],
    ['what is no frame', encode(42), 1008],
    ['a frame without id', encode({ t: 'call', name: 'app.info' }), 1008],
  ] as [string, string | Uint8Array, number][])('closes on %s', async (_, data, code) => {
    const socket = open();
    await once(socket, 'open');
    socket.send(data);
    const [closed] = (await once(socket, 'close')) as [number];
    expect(closed).toBe(code);
  });

  it('answers a malformed frame that has an id, and goes on', async () => {
    const socket = open();
    await once(socket, 'open');
    const refused = await ask(socket, { t: 'call', id: 9, name: 5 });
    expect(refused).toMatchObject({ t: 'error', id: 9, error: { code: 'InvalidArgument' } });
    const next = await ask(socket, { t: 'call', id: 10, name: 'settings.get' });
    expect(next).toMatchObject({ t: 'result', id: 10 });
    socket.close();
  });

  it('closes on a frame that is too large, before it is read whole', async () => {
    const socket = open();
    await once(socket, 'open');
    socket.on('error', () => {});
    socket.send(Buffer.alloc(MAX_FRAME_BYTES + 1));
    const [code] = (await once(socket, 'close')) as [number];
    expect([1006, 1009]).toContain(code);
    expect((await page('/')).status).toBe(200);
  });
});

describe('listen', () => {
  it('names a port that is in use', async () => {
    const second = new BrowserServer(app, new StaticFiles(dir), silentLogger);
    await expect(second.listen(Number(url.port))).rejects.toMatchObject({
      code: 'PortInUse',
      message: `port ${url.port} is already in use`,
    });
  });

  it('says that the app is not built where there are no files', async () => {
    const empty = new BrowserServer(app, new StaticFiles(join(dir, 'none')), silentLogger);
    const address = new URL(await empty.listen(0));
    const entered = await fetch(address);
    const own = (entered.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    const answer = await fetch(address.origin, { headers: { cookie: own } });
    expect([answer.status, await answer.text()]).toEqual([
      503,
      expect.stringContaining('npm run build'),
    ]);
    await empty.close();
  });
});
