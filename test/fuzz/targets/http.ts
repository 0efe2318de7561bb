import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Logger } from '../../../src-main/base/logger.ts';
import { TestBackend } from '../../../src-main/node/api/testing/backend.ts';
import { createGateway } from '../../../src-main/node/gateway/gateway.ts';
import {
  CLIENT_PREFACE,
  FRAME_HEADER_BYTES,
  FrameType,
} from '../../../src-main/node/rpc/h2/frames.ts';
import { HpackDecoder } from '../../../src-main/node/rpc/h2/hpack/decoder.ts';
import { createH2Server } from '../../../src-main/node/rpc/h2/server.ts';
import { frameBytes, RawClient } from '../../../src-main/node/rpc/h2/testing/raw-client.ts';
import type { RpcServer } from '../../../src-main/node/rpc/server.ts';
import { bidi, serverStream, unary } from '../../../src-main/node/rpc/service.ts';
import { Chat, Count, Say } from '../../../src-main/node/rpc/testing/harness.ts';
import { oneOf } from '../mutate.ts';
import { Finding, type Target } from '../target.ts';
import { mutatedText } from '../text.ts';
import { conversation, sampleConversations } from './h2-frames.ts';

const MAX_INPUT_BYTES = 256 * 1024;
const MAX_RECEIVE_BYTES = 64 * 1024;
/** Messages that one call is answered with at most. */
const MAX_COUNT = 50;
/** What is told of a defect goes to the log as an error; this one is of the handlers below. */
const HARMLESS = /not text/;

const SERVICES = [
  unary(Say, async (text) => text),
  serverStream(Count, async (text, responses) => {
    for (let i = 0; i < Math.min(Number(text) || 0, MAX_COUNT); i++) responses.write(`${i}`);
  }),
  bidi(Chat, async (requests, responses) => {
    for await (const text of requests) responses.write(text);
  }),
];

interface Running {
  server: RpcServer;
  port: number;
  /** Of level error, since the last look. */
  errors: string[];
}

async function serve(): Promise<Running> {
  const errors: string[] = [];
  const nothing = () => {};
  const error = (message: string, fields: object = {}) => {
    errors.push(`${message} ${JSON.stringify(fields)}`);
  };
  const logger: Logger = { debug: nothing, info: nothing, warn: nothing, error };
  const server = createH2Server({
    services: [{ name: 'test.Echo', methods: SERVICES }],
    listen: [{ host: '127.0.0.1', port: 0 }],
    maxReceiveBytes: MAX_RECEIVE_BYTES,
    http1: createGateway(new TestBackend(), { logger }),
    logger,
  });
  const [address] = await server.start();
  return { server, port: address?.port ?? 0, errors };
}

function checkErrors({ errors }: Running): void {
  const defect = errors.find((one) => !HARMLESS.test(one));
  errors.length = 0;
  if (defect !== undefined) throw new Finding(defect);
}

/** Everything that the server has sent once it is through. The parts come one after the other. */
async function answerTo(port: number, parts: Buffer[], isThrough: (answer: Buffer) => boolean) {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  const chunks: Buffer[] = [];
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  for (const part of parts) {
    socket.write(part);
    // The server, in the same thread, reads what is there before the next part is.
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  }
  await through(socket, chunks, isThrough);
  socket.end();
  await closed;
  return Buffer.concat(chunks);
}

function through(socket: Socket, chunks: Buffer[], isThrough: (answer: Buffer) => boolean) {
  return new Promise<void>((resolve) => {
    socket.on('close', resolve).on('end', resolve);
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (isThrough(Buffer.concat(chunks))) resolve();
    });
    if (isThrough(Buffer.alloc(0))) resolve();
  });
}

interface AnswerFrame {
  type: number;
  payload: Buffer;
}

function framesOf(bytes: Buffer, start = 0): { frames: AnswerFrame[]; end: number } {
  const frames: AnswerFrame[] = [];
  let at = start;
  while (at + FRAME_HEADER_BYTES <= bytes.length) {
    const end = at + FRAME_HEADER_BYTES + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    frames.push({
      type: bytes[at + 3] as number,
      payload: bytes.subarray(at + FRAME_HEADER_BYTES, end),
    });
    at = end;
  }
  return { frames, end: at };
}

/** The server may be cut off in mid-frame, but says nothing that is no HTTP/2. */
function checkAnswer(answer: Buffer): void {
  const decoder = new HpackDecoder(4096, 1e6);
  for (const { type, payload } of framesOf(answer).frames) {
    if (type > FrameType.CONTINUATION || type === FrameType.PUSH_PROMISE) {
      throw new Finding(`the server sends a frame of type ${type}`);
    }
    if (type === FrameType.HEADERS) decoder.decode(payload, 0, payload.length);
  }
}

const LAST_WORD = Buffer.from('fuzzdone');

/** A real server on a socket, and one client's whole side of a connection. */
export async function http2Target(): Promise<Target> {
  const running = await serve();
  const isDone = (answer: Buffer) =>
    framesOf(answer).frames.some(
      ({ type, payload }) =>
        type === FrameType.GOAWAY || (type === FrameType.PING && payload.equals(LAST_WORD)),
    );
  const ping = frameBytes(FrameType.PING, 0, 0, LAST_WORD);
  return {
    seeds: sampleConversations(),
    maxInputBytes: MAX_INPUT_BYTES,
    generate: conversation,
    async run(input) {
      const isWhole =
        input.subarray(0, CLIENT_PREFACE.length).equals(CLIENT_PREFACE) &&
        framesOf(input, CLIENT_PREFACE.length).end === input.length;
      // Where the last frame is cut short nothing behind it would be read as one.
      const answer = isWhole
        ? // Apart, so that a frame that is read beyond its end is seen to be.
          await answerTo(running.port, [input, ping], isDone)
        : await answerTo(running.port, [input], () => true);
      if (input[0] === CLIENT_PREFACE[0]) checkAnswer(answer);
      checkErrors(running);
    },
    async check() {
      const client = await RawClient.connect(running.port);
      client.request(1, 'are you well?');
      const { body } = await client.response(1);
      client.socket.destroy();
      if (!body.includes('are you well?')) throw new Finding('the server answers something else');
    },
    close: () => running.server.stop(0),
  };
}

const REQUESTS: readonly string[] = [
  'GET /health HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /health?serializable=true&exclude=NOSPACE HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /version HTTP/1.0\r\n\r\n',
  'GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  'POST /v3/kv/range HTTP/1.1\r\nHost: a\r\nContent-Length: 14\r\n\r\n{"key":"Zm9v"}',
  'POST /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n',
  'GET http://a:1/health HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n',
  'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n',
  'GET //%00/../health?%ff&&= HTTP/1.1\r\nHost: a\r\n\r\n',
];

/** The other protocol of the same port. */
export async function http1Target(): Promise<Target> {
  const running = await serve();
  return {
    seeds: REQUESTS.map((text) => Buffer.from(text)),
    generate: (random) =>
      Buffer.from(
        random.below(3) > 0
          ? mutatedText(random, REQUESTS)
          : Array.from({ length: 3 }, () => oneOf(random, REQUESTS)).join(''),
        'latin1',
      ),
    async run(input) {
      const answer = await answerTo(running.port, [input], () => true);
      const isHttp = answer.length === 0 || answer.subarray(0, 7).toString() === 'HTTP/1.';
      const isH2 = input[0] === CLIENT_PREFACE[0];
      if (!isHttp && !isH2) throw new Finding('an answer that is no HTTP/1');
      checkErrors(running);
    },
    async check() {
      const response = await fetch(`http://127.0.0.1:${running.port}/version`);
      await response.text();
      if (response.status !== 200) throw new Finding(`it answers ${response.status}`);
    },
    close: () => running.server.stop(0),
  };
}
