import { once } from 'node:events';
import { type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { bidi, type CallContext, type ResponseSink, serverStream } from './service.ts';
import { RpcError, RpcStatus } from './status.ts';
import {
  Chat,
  Count,
  chat,
  decode,
  encode,
  serveWith,
  signalled,
  stopAll,
  TRANSPORTS,
} from './testing/harness.ts';

afterEach(stopAll);

describe.each(TRANSPORTS)('streams over %s', (_name, create) => {
  const serve = serveWith(create);

  it('streams to the client and ends with the handler', async () => {
    const { client } = await serve([
      serverStream(Count, async (text, responses) => {
        for (let i = 0; i < Number(text); i++) responses.write(String(i));
      }),
    ]);
    const call = client.makeServerStreamRequest(Count.path, encode, decode, '3');
    const received: string[] = [];
    for await (const message of call) received.push(String(message));
    expect(received).toEqual(['0', '1', '2']);
  });

  it('sends what was written before the error of a stream', async () => {
    const { client } = await serve([
      serverStream(Count, async (_text, responses) => {
        responses.write('one');
        throw new RpcError(RpcStatus.DATA_LOSS, 'lost');
      }),
    ]);
    const call = client.makeServerStreamRequest(Count.path, encode, decode, '');
    const received: string[] = [];
    call.on('data', (message: string) => received.push(message));
    const [error] = (await once(call, 'error')) as [ServiceError];
    expect(received).toEqual(['one']);
    expect(error).toMatchObject({ code: status.DATA_LOSS, details: 'lost' });
  });

  it('talks both ways by iteration, and ends when the client half-closes', async () => {
    const { client } = await serve([
      bidi(Chat, async (requests, responses) => {
        for await (const text of requests) responses.write(`<${text}>`);
        responses.write('bye');
      }),
    ]);
    const { call } = chat(client);
    for (const text of ['a', 'b', 'c']) call.write(text);
    call.end();
    const received: string[] = [];
    for await (const message of call) received.push(String(message));
    expect(received).toEqual(['<a>', '<b>', '<c>', 'bye']);
  });

  it('talks both ways by listeners, past the half-close', async () => {
    const { client } = await serve([
      bidi(
        Chat,
        (requests, responses) =>
          new Promise((resolve) => {
            requests.onMessage((text) => responses.write(text.toUpperCase()));
            requests.onEnd(() => {
              responses.write('after the end');
              resolve();
            });
          }),
      ),
    ]);
    const { call } = chat(client);
    call.write('a');
    call.end();
    const received: string[] = [];
    for await (const message of call) received.push(String(message));
    expect(received).toEqual(['A', 'after the end']);
  });

  it('takes nothing off the wire while paused', async () => {
    const opened = signalled<{ resume(): void; seen: string[] }>();
    const { client } = await serve([
      bidi(Chat, (requests, responses) => {
        const seen: string[] = [];
        requests.onMessage((text) => {
          seen.push(text);
          if (text === 'first') requests.pause();
          responses.write(text);
        });
        opened.resolve({ resume: () => requests.resume(), seen });
        return new Promise((resolve) => requests.onEnd(resolve));
      }),
    ]);
    const { call } = chat(client);
    const received: string[] = [];
    const firstEcho = signalled<void>();
    const all = signalled<void>();
    call.on('data', (message: string) => {
      received.push(message);
      firstEcho.resolve();
      if (received.length === 2) all.resolve();
    });
    call.write('first');
    call.write('second');
    const stream = await opened.promise;
    await firstEcho.promise;
    expect(stream.seen).toEqual(['first']);
    stream.resume();
    await all.promise;
    expect(stream.seen).toEqual(['first', 'second']);
    call.end();
  });

  it('ends the call when a message listener throws', async () => {
    const { client } = await serve([
      bidi(Chat, (requests) => {
        requests.onMessage(() => {
          throw new RpcError(RpcStatus.INVALID_ARGUMENT, 'no');
        });
        return new Promise(() => {});
      }),
    ]);
    const { call, failure } = chat(client);
    call.resume();
    call.write('x');
    expect(await failure).toMatchObject({ code: status.INVALID_ARGUMENT, details: 'no' });
  });

  it('reports back-pressure by bytes and drains', async () => {
    const opened = signalled<ResponseSink<string>>();
    const finish = signalled<void>();
    const limit = 256 * 1024;
    const { client } = await serve(
      [
        bidi(Chat, (requests, responses) => {
          requests.onMessage(() => {});
          opened.resolve(responses);
          return finish.promise;
        }),
      ],
      { maxQueuedBytesPerStream: limit },
    );
    const { call } = chat(client);
    call.write('open');
    const sink = await opened.promise;
    const drained = signalled<void>();
    sink.onDrain(() => drained.resolve());
    const chunk = 'x'.repeat(64 * 1024);
    let written = 1;
    while (sink.write(chunk)) written++;
    expect(written * chunk.length).toBe(limit);
    expect(sink.write('more is taken all the same')).toBe(false);
    let bytes = 0;
    call.on('data', (message: string) => {
      bytes += message.length;
    });
    await drained.promise;
    expect(sink.write('room again')).toBe(true);
    finish.resolve();
    await once(call, 'end');
    expect(bytes).toBe(limit + 'more is taken all the same'.length + 'room again'.length);
  });

  it('tells the handler when the client goes away', async () => {
    const opened = signalled<CallContext>();
    const { client } = await serve([
      bidi(Chat, (requests, _responses, context) => {
        requests.onMessage(() => {});
        opened.resolve(context);
        return new Promise(() => {});
      }),
    ]);
    const { call } = chat(client);
    call.write('x');
    const { signal } = await opened.promise;
    client.close();
    call.cancel();
    if (!signal.aborted) await once(signal, 'abort');
  });
});
