import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MAX_TOASTS, TOAST_MS, Toasts } from './toasts.svelte.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('a done one goes by itself, a failed one stays until it is closed', () => {
  const toasts = new Toasts();
  toasts.failed('Not saved');
  toasts.done('Saved');
  expect(toasts.current?.text).toBe('Saved');
  vi.advanceTimersByTime(TOAST_MS);
  expect(toasts.current?.text).toBe('Not saved');
  toasts.close(toasts.current?.id ?? 0);
  expect(toasts.current).toBeNull();
});

it('keeps few failures, the newest', () => {
  const toasts = new Toasts();
  for (let i = 0; i < 2 * MAX_TOASTS; i++) toasts.failed(String(i));
  let count = 0;
  for (; toasts.current !== null; count++) toasts.close(toasts.current.id);
  expect(count).toBe(MAX_TOASTS);
});
