import { request } from 'node:http';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { silentLogger } from '../../../base/logger.ts';
import { createGrpcJsServer } from '../grpc-js/server.ts';
import { createH2Server } from '../h2/server.ts';
import type { RpcServer, RpcServerOptions } from '../server.ts';
import type { ServiceImplementation } from '../service.ts';

type CreateServer = (options: RpcServerOptions) => RpcServer;

/** The suites run over each. */
export const TRANSPORTS: [name: string, create: CreateServer][] = [
  ['grpc-js', createGrpcJsServer],
  ['h2', createH2Server],
];

// A codec as simple as can be: the message is its UTF-8 text; "\0" is not decodable.
export const decode = (bytes: Buffer): string => {
  if (bytes.length === 1 && bytes[0] === 0) throw new Error('not text');
  return bytes.toString();
};
export const encode = (text: string): Buffer => Buffer.from(text);
const codec = { requestDeserialize: decode, responseSerialize: encode };
export const Say = {
  path: '/test.Echo/Say',
  requestStream: false,
  responseStream: false,
  ...codec,
} as const;
export const Count = {
  path: '/test.Echo/Count',
  requestStream: false,
  responseStream: true,
  ...codec,
} as const;
export const Chat = {
  path: '/test.Echo/Chat',
  requestStream: true,
  responseStream: true,
  ...codec,
} as const;

const running: { server: RpcServer; clients: Client[] }[] = [];

/** Closes everything that `serve` and `track` hold. For afterEach. */
export async function stopAll(): Promise<void> {
  for (const { server, clients } of running.splice(0)) {
    for (const client of clients) client.close();
    await server.stop(0);
  }
}

export function track(server: RpcServer): void {
  running.push({ server, clients: [] });
}

/** Starts servers of this kind, each with a client. */
export function serveWith(create: CreateServer) {
  return (methods: ServiceImplementation['methods'], options: Partial<RpcServerOptions> = {}) =>
    serve(create, methods, options);
}

async function serve(
  create: CreateServer,
  methods: ServiceImplementation['methods'],
  options: Partial<RpcServerOptions>,
) {
  const server = create({
    services: [{ name: 'test.Echo', methods }],
    listen: [{ host: '127.0.0.1', port: 0 }],
    maxReceiveBytes: 64 * 1024,
    logger: silentLogger,
    ...options,
  });
  const [address] = await server.start();
  const port = address?.port ?? 0;
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
    'grpc.use_local_subchannel_pool': 1,
  });
  running.push({ server, clients: [client] });
  return { server, port, client };
}

export function say(
  client: Client,
  text: string,
  options: { path?: string; deadline?: number; metadata?: Metadata } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      options.path ?? Say.path,
      encode,
      (bytes: Buffer) => bytes.toString(),
      text,
      options.metadata ?? new Metadata(),
      options.deadline === undefined ? {} : { deadline: options.deadline },
      (error, value) => (error ? reject(error) : resolve(value ?? '')),
    );
  });
}

export function chat(client: Client) {
  const call = client.makeBidiStreamRequest(
    Chat.path,
    encode,
    (bytes: Buffer) => bytes.toString(),
    new Metadata(),
    {},
  );
  const failure = new Promise<ServiceError>((resolve) => call.once('error', resolve));
  return { call, failure };
}

export function get(port: number, path: string): Promise<{ statusCode: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      response.on('end', () => resolve({ statusCode: response.statusCode ?? 0, body }));
    });
    call.on('error', reject).end();
  });
}

/** A promise with its handle, to wait for what a handler sees. */
export function signalled<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
