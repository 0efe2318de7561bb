import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeClient } from '../../testing/fake-client.ts';
import { frameSchedule, openWatch } from './port.ts';
import { target, utf8 } from './testing/bench.ts';

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('requestAnimationFrame', (run: () => void) => setTimeout(run, 16));
  vi.stubGlobal('cancelAnimationFrame', (id: ReturnType<typeof setTimeout>) => clearTimeout(id));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('a key, a prefix, a range and every key are watched as the contract has it', () => {
  const fake = new FakeClient();
  const open = openWatch(fake.client, 'c1');
  const items: unknown[] = [];
  const handlers = { onItems: (list: readonly unknown[]) => items.push(...list), onEnd() {} };
  const input = () => fake.lastStream('watch.open').input;
  const base = { clusterId: 'c1', packed: true };
  const close = open(target('/a', { scope: 'key' }), handlers);
  expect(input()).toEqual({ ...base, key: utf8('/a') });
  const stream = fake.lastStream('watch.open');
  stream.push({ kind: 'opened', revision: 1, node: 'n1' });
  expect(items).toHaveLength(1);
  close();
  expect(stream.closed).toBe(true);
  open(target('/a', { startRevision: 7, only: 'delete' }), handlers);
  const rest = { startRevision: 7, only: 'delete' };
  expect(input()).toEqual({ ...base, key: utf8('/a'), rangeEnd: utf8('/b'), ...rest });
  open(target('a', { scope: 'range', rangeEnd: utf8('c') }), handlers);
  expect(input()).toEqual({ ...base, key: utf8('a'), rangeEnd: utf8('c') });
  open(target('a', { scope: 'range' }), handlers);
  expect(input()).toEqual({ ...base, key: utf8('a'), rangeEnd: Uint8Array.of(0) });
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
