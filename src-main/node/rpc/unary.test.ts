import { once } from 'node:events';
import { Metadata, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { type Logger, silentLogger } from '../../base/logger.ts';
import { type CallContext, unary } from './service.ts';
import { RpcError, RpcStatus } from './status.ts';
import {
  decode,
  encode,
  Say,
  say,
  serveWith,
  signalled,
  stopAll,
  TRANSPORTS,
} from './testing/harness.ts';

afterEach(stopAll);

describe.each(TRANSPORTS)('unary calls over %s', (_name, create) => {
  const serve = serveWith(create);

  it('answers, hands over metadata, deadline and peer', async () => {
    let seen: CallContext | undefined;
    const { client } = await serve([
      unary(Say, async (text, context) => {
        seen = context;
        return `${text} ${String(context.metadata.get('who'))}`;
      }),
    ]);
    const metadata = new Metadata();
    metadata.set('who', 'world');
    const deadline = Date.now() + 30_000;
    expect(await say(client, 'hello', { metadata, deadline })).toBe('hello world');
    expect(Math.abs((seen?.deadline ?? 0) - deadline)).toBeLessThan(5_000);
    expect(seen?.peer).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(seen?.metadata.get('absent')).toBeUndefined();
  });

  it('takes and answers empty messages', async () => {
    const { client } = await serve([unary(Say, async (text) => text)]);
    expect(await say(client, '')).toBe('');
  });

  it('answers an RpcError with its status and message', async () => {
    const { client } = await serve([
      unary(Say, async () => {
        throw new RpcError(RpcStatus.OUT_OF_RANGE, 'too far: 100%');
      }),
    ]);
    await expect(say(client, 'x')).rejects.toMatchObject({
      code: status.OUT_OF_RANGE,
      details: 'too far: 100%',
    });
  });

  it('answers INTERNAL to any other exception, logs it, and lives on', async () => {
    const logged: string[] = [];
    const logger: Logger = { ...silentLogger, error: (message) => logged.push(message) };
    const { client } = await serve(
      [
        unary(Say, async (text) => {
          if (text === 'bad') throw new TypeError('a defect');
          return text;
        }),
      ],
      { logger },
    );
    await expect(say(client, 'bad')).rejects.toMatchObject({ code: status.INTERNAL });
    expect(logged).toEqual(['a handler failed']);
    expect(await say(client, 'good')).toBe('good');
  });

  it('answers INTERNAL to bytes that are no such message', async () => {
    const { client } = await serve([unary(Say, async (text) => text)]);
    await expect(say(client, '\0')).rejects.toMatchObject({
      code: status.INTERNAL,
      details: expect.stringContaining('unmarshalling'),
    });
  });

  it('answers UNIMPLEMENTED to unknown methods and services', async () => {
    const { client } = await serve([unary(Say, async (text) => text)]);
    for (const path of ['/test.Echo/Shout', '/no.Such/Say']) {
      await expect(say(client, 'x', { path })).rejects.toMatchObject({
        code: status.UNIMPLEMENTED,
      });
    }
  });

  it('limits what it receives and not what it sends', async () => {
    const { client } = await serve([unary(Say, async (text) => text.repeat(100))], {
      maxReceiveBytes: 100_000,
    });
    const answer = await say(client, 'x'.repeat(100_000));
    expect(answer.length).toBe(10_000_000);
    await expect(say(client, 'x'.repeat(100_001))).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
    expect(await say(client, 'still here')).toHaveLength(1000);
  });

  it('aborts the signal when the client cancels', async () => {
    const started = signalled<CallContext>();
    const { client } = await serve([
      unary(Say, (_text, context) => {
        started.resolve(context);
        return new Promise(() => {});
      }),
    ]);
    const call = client.makeUnaryRequest(Say.path, encode, decode, 'x', () => {});
    const { signal } = await started.promise;
    expect(signal.aborted).toBe(false);
    call.cancel();
    await once(signal, 'abort');
  });

  it('ends the call and aborts the signal when the deadline passes', async () => {
    const started = signalled<CallContext>();
    const { client } = await serve([
      unary(Say, (_text, context) => {
        started.resolve(context);
        return new Promise(() => {});
      }),
    ]);
    const answer = say(client, 'x', { deadline: Date.now() + 300 });
    const rejection = expect(answer).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    const { signal } = await started.promise;
    if (!signal.aborted) await once(signal, 'abort');
    await rejection;
  });
});
