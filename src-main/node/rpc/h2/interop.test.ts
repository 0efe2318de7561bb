import { execFile, spawnSync } from 'node:child_process';
import { connect } from 'node:http2';
import { promisify } from 'node:util';
import { Metadata } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../base/prng.ts';
import { bidi, unary } from '../service.ts';
import { RpcError, RpcStatus } from '../status.ts';
import { Chat, chat, Say, say, serveWith, stopAll } from '../testing/harness.ts';
import { createH2Server } from './server.ts';

const serve = serveWith(createH2Server);
const run = promisify(execFile);
const has = (tool: string): boolean => spawnSync(tool, ['--version']).status === 0;

afterEach(stopAll);

describe('clients that we did not write', () => {
  it('decodes what nghttp2 encodes, Huffman and table included (random)', async () => {
    const { client } = await serve([
      unary(Say, async (_text, { metadata }) => {
        const bin = metadata.get('x-bin');
        return `${String(metadata.get('x-text'))} ${Buffer.isBuffer(bin) ? bin.toString('hex') : ''}`;
      }),
    ]);
    const random = seededRandom(9113);
    const octets = (least: number, most: number): Buffer =>
      Buffer.from(
        Array.from({ length: 1 + random.below(100) }, () => least + random.below(most - least)),
      );
    for (let i = 0; i < 300; i++) {
      const metadata = new Metadata();
      const text = octets(0x21, 0x7f).toString('latin1');
      const bin = octets(0, 256);
      metadata.set('x-text', text);
      metadata.set('x-bin', bin);
      expect(await say(client, '', { metadata })).toBe(`${text} ${bin.toString('hex')}`);
    }
  });

  it('fails the call alone when a handler throws before it has a promise', async () => {
    const { client } = await serve([
      unary(Say, async (text) => text),
      bidi(Chat, () => {
        throw new RpcError(RpcStatus.ABORTED, 'at once');
      }),
    ]);
    const { call, failure } = chat(client);
    call.resume();
    expect(await failure).toMatchObject({ code: RpcStatus.ABORTED, details: 'at once' });
    expect(await say(client, 'still here')).toBe('still here');
  });

  it('answers many calls at once over one connection', async () => {
    const { client } = await serve([unary(Say, async (text) => text.repeat(1000))]);
    const texts = Array.from({ length: 300 }, (_, i) => `<${i}>`);
    const answers = await Promise.all(texts.map((text) => say(client, text)));
    expect(answers).toEqual(texts.map((text) => text.repeat(1000)));
  });

  it('ends an idle node:http2 session at stop, at once', async () => {
    const { server, port } = await serve([]);
    const session = connect(`http://127.0.0.1:${port}`);
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    const goodbye = new Promise<number>((resolve) => session.once('goaway', resolve));
    const closed = new Promise((resolve) => session.once('close', resolve));
    await server.stop(30_000);
    expect(await goodbye).toBe(0);
    await closed;
  });

  it.skipIf(!has('curl'))('speaks to curl', async () => {
    const { port } = await serve([]);
    const args = ['-sS', '--http2-prior-knowledge', '-o', '-', '-D', '-'];
    const { stdout } = await run('curl', [...args, `http://127.0.0.1:${port}/health`]);
    expect(stdout).toMatch(/^HTTP\/2 405/);
    expect(stdout).toContain('grpc-status: 13');
  });

  it.skipIf(!has('nghttp'))('speaks to nghttp', async () => {
    const { port } = await serve([]);
    const { stdout } = await run('nghttp', ['-nv', `http://127.0.0.1:${port}/health`]);
    expect(stdout).toContain(':status: 405');
  });
});
