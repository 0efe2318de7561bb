import { expect, it } from 'vitest';
import { WaitingCalls } from './waiting-calls.ts';

const open = () => new AbortController().signal;

it('refuses what is beyond the limit, until another call has ended', async () => {
  const calls = new WaitingCalls(2, undefined);
  const finish: (() => void)[] = [];
  const wait = () => new Promise<void>((resolve) => finish.push(resolve));
  const first = calls.hold(open(), wait);
  const second = calls.hold(open(), () => wait().then(() => Promise.reject(new Error('failed'))));
  await expect(calls.hold(open(), wait)).rejects.toMatchObject({ code: 'TooManyRequests' });
  for (const end of finish) end();
  await first;
  await expect(second).rejects.toThrow('failed');
  expect(await calls.hold(open(), async () => 'room')).toBe('room');
});

it('tells a wait of the end of its call', async () => {
  const calls = new WaitingCalls(2, undefined);
  const call = new AbortController();
  const ended = calls.hold(
    call.signal,
    (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve('ended'))),
  );
  call.abort();
  expect(await ended).toBe('ended');
  await calls.hold(call.signal, async (signal) => expect(signal.aborted).toBe(true));
});
