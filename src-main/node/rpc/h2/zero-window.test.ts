import { afterEach, expect, test } from 'vitest';
import { unary } from '../service.ts';
import { Say, serveWith, stopAll } from '../testing/harness.ts';
import { FrameType, Setting } from './frames.ts';
import { createH2Server } from './server.ts';
import { grpcMessage, RawClient, settingsPayload, uint32 } from './testing/raw-client.ts';

const serve = serveWith(createH2Server);
const clients: RawClient[] = [];
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await stopAll();
});

test('a client that opens no window waits alone, and gets its answers once it does', async () => {
  const { port } = await serve([unary(Say, async (text) => text)]);
  const stalled = await RawClient.connect(port, [[Setting.INITIAL_WINDOW_SIZE, 0]]);
  const innocent = await RawClient.connect(port);
  clients.push(stalled, innocent);
  const text = 'x'.repeat(10_000);
  const ids = Array.from({ length: 50 }, (_, i) => 2 * i + 1);
  for (const id of ids) stalled.request(id, text);
  // The answer to a PING comes after whatever the requests before it could bring at once.
  stalled.send(FrameType.PING, 0, 0, Buffer.alloc(8));
  await stalled.ofType(FrameType.PING);

  for (const id of ids) innocent.request(id, 'hello');
  for (const id of ids) {
    expect((await innocent.response(id)).body).toEqual(grpcMessage('hello'));
  }
  expect(stalled.frames.filter(({ type }) => type === FrameType.DATA)).toEqual([]);

  stalled.send(FrameType.WINDOW_UPDATE, 0, 0, uint32(2 ** 30));
  const open = settingsPayload([[Setting.INITIAL_WINDOW_SIZE, 65_535]]);
  stalled.send(FrameType.SETTINGS, 0, 0, open);
  const endsOf = () => stalled.frames.filter(({ fields }) => fields['grpc-status'] === '0');
  while (endsOf().length < ids.length) await stalled.next(({ type }) => type === FrameType.HEADERS);
  const bytes = stalled.frames
    .filter(({ type }) => type === FrameType.DATA)
    .reduce((sum, { payload }) => sum + payload.length, 0);
  expect(bytes).toBe(ids.length * grpcMessage(text).length);
});
