import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeClient } from '../../testing/fake-client.ts';
import { frameSchedule, openWatch } from './port.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('requestAnimationFrame', (run: () => void) => setTimeout(run, 16));
  vi.stubGlobal('cancelAnimationFrame', (id: ReturnType<typeof setTimeout>) => clearTimeout(id));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('a key, a prefix and every key are watched as the contract has it', () => {
  const fake = new FakeClient();
  const open = openWatch(fake.client, 'c1');
  const items: unknown[] = [];
  const handlers = { onItems: (list: readonly unknown[]) => items.push(...list), onEnd() {} };
  const close = open({ key: utf8('/a'), prefix: false, startRevision: 0 }, handlers);
  const stream = fake.lastStream('watch.open');
  expect(stream.input).toEqual({ clusterId: 'c1', key: utf8('/a') });
  stream.push({ kind: 'opened', revision: 1, node: 'n1' });
  expect(items).toHaveLength(1);
  close();
  expect(stream.closed).toBe(true);
  open({ key: utf8('/a'), prefix: true, startRevision: 7 }, handlers);
  expect(fake.lastStream('watch.open').input).toEqual({
    clusterId: 'c1',
    key: utf8('/a'),
    rangeEnd: utf8('/b'),
    startRevision: 7,
  });
});

test('a lone event is drawn with the next frame, a flood ten times a second', () => {
  const schedule = frameSchedule();
  let drawn = 0;
  const draw = () => {
    drawn++;
  };
  schedule(draw);
  vi.advanceTimersByTime(17);
  expect(drawn).toBe(1);
  schedule(draw);
  vi.advanceTimersByTime(50);
  expect(drawn).toBe(1);
  vi.advanceTimersByTime(100);
  expect(drawn).toBe(2);
  const cancel = schedule(draw);
  cancel();
  vi.advanceTimersByTime(1_000);
  expect(drawn).toBe(2);
});
