import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { H2Stream } from './stream.ts';

const host = { schedule: () => {}, releaseCredit: () => {} };

/** Takes `bytes` off the queue and answers them. */
function take(stream: H2Stream, bytes: number): string {
  let taken = '';
  stream.take(bytes, (chunk, start, end) => {
    taken += chunk.toString('latin1', start, end);
  });
  return taken;
}

test('what is queued comes out in order, however it is cut', () => {
  const stream = new H2Stream(1, 'peer', 65_535, host);
  const sent = Array.from({ length: 40 }, (_, i) => `${i},`);
  for (const text of sent) stream.write(Buffer.from(text));
  let all = '';
  for (let size = 1; stream.queuedBytes > 0; size = (size % 7) + 1) {
    all += take(stream, Math.min(size, stream.queuedBytes));
    if (all.length === 28) stream.write(Buffer.from('late'));
  }
  expect(all).toBe(`${sent.join('')}late`);
});

test('a stream that is never quite empty keeps nothing of what it has sent', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const stream = new H2Stream(1, 'peer', 65_535, host);
  const refs: WeakRef<Buffer>[] = [];
  const queue = () => {
    const chunk = Buffer.alloc(10_000);
    refs.push(new WeakRef(chunk));
    stream.write(chunk);
  };
  queue();
  // Every taking ends within a chunk.
  take(stream, 5_000);
  for (let i = 0; i < 100; i++) {
    queue();
    take(stream, 10_000);
  }
  expect(stream.queuedBytes).toBe(5_000);
  // A weak reference holds what it points to until its own turn ends.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  expect(refs.filter((ref) => ref.deref() !== undefined).length).toBeLessThan(3);
});
