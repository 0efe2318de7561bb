import { expect, test } from 'vitest';
import { exportJsonLines, exportName, jsonLine } from './event-export.ts';
import { detailText, MAX_DETAIL_BYTES, preview } from './event-text.ts';
import { barPath, RATE_SECONDS, RateHistory } from './rate-history.ts';
import { event, target, utf8 } from './testing/bench.ts';
import { covers, isEveryKey, targetEnd, targetText } from './watch-target.ts';

test('a row shows a value on one line, the detail as it is', () => {
  expect(preview(utf8('{\r\n  "a": 1,\n\n  "b": "\\\\n"\n}'))).toBe('{ "a": 1, "b": "\\\\\\\\n" }');
  expect(preview(new Uint8Array([1, 2]))).toBeNull();
  expect(preview(utf8('键'.repeat(100)))).toBe('键'.repeat(53));
  expect(detailText(utf8('a\n  b'))).toEqual({ text: 'a\n  b', isCut: false });
  const long = detailText(new Uint8Array(MAX_DETAIL_BYTES + 1).fill(97));
  expect([long.isCut, long.text?.length]).toEqual([true, MAX_DETAIL_BYTES]);
});

test('an event is a line of JSON; bytes that are no text are base64 under another name', () => {
  const lease = '7b';
  const put = event(12, { name: '/a\n', value: new Uint8Array([255, 0]), lease, receivedAtMs: 0 });
  expect(JSON.parse(jsonLine(put))).toEqual({
    type: 'put',
    key: '/a\n',
    valueBase64: '/wA=',
    modRevision: 12,
    createRevision: 12,
    version: 1,
    lease: '7b',
    receivedAt: '1970-01-01T00:00:00.000Z',
  });
  const removed = event(13, { type: 'delete', prevValue: utf8('was') });
  expect(JSON.parse(jsonLine(removed))).toEqual({
    type: 'delete',
    key: 'k13',
    prevValue: 'was',
    modRevision: 13,
    receivedAt: '1970-01-01T00:00:00.000Z',
  });
});

test('an export is all of them in order, and lets the page breathe', async () => {
  let breaths = 0;
  const list = Array.from({ length: 1_200 }, (_, i) => event(i + 1));
  const { blob, count } = await exportJsonLines(list, async () => void breaths++);
  const lines = (await blob.text()).trimEnd().split('\n');
  expect([count, lines.length, breaths]).toEqual([1_200, 1_200, 2]);
  expect(JSON.parse(lines[1_199] ?? '').modRevision).toBe(1_200);
  expect(exportName('/config/*', 0)).toBe('watch-config-1970-01-01T00-00-00.jsonl');
  expect(exportName('', 0)).toBe('watch-all-1970-01-01T00-00-00.jsonl');
});

test('a target says which keys are its own', () => {
  const prefix = target('/a/');
  const range = target('b', { scope: 'range', rangeEnd: utf8('d') });
  const key = target('/a', { scope: 'key', only: 'put' });
  const sees = (t: typeof prefix, name: string, isDelete = false) =>
    covers(t, utf8(name), isDelete);
  expect([sees(prefix, '/a/x'), sees(prefix, '/a')]).toEqual([true, false]);
  expect(['a', 'b', 'c', 'cz', 'd'].map((name) => sees(range, name))).toEqual([
    false,
    true,
    true,
    true,
    false,
  ]);
  expect([sees(key, '/a'), sees(key, '/a', true), sees(key, '/a/')]).toEqual([true, false, false]);
  expect(targetEnd(target('z', { scope: 'range' }))).toEqual(Uint8Array.of(0));
  expect([isEveryKey(target('')), isEveryKey(prefix)]).toEqual([true, false]);
  expect([prefix, range, key, target('')].map((t) => targetText(t, 'all'))).toEqual([
    '/a/*',
    'b … d',
    '/a',
    'all',
  ]);
});

test('the rate has a second per place, and gaps where nothing was listened to', () => {
  const history = new RateHistory(10_000);
  history.pass(10_000, true);
  history.add(10_900, 3);
  history.pass(11_000, true);
  history.add(12_100, 5);
  history.pass(14_000, false);
  expect(history.seconds).toHaveLength(RATE_SECONDS);
  expect(history.seconds.slice(-4)).toEqual([3, 0, 5, null]);
  history.pass(14_000 + 500_000, true);
  expect(new Set(history.seconds)).toEqual(new Set([0]));
  expect(barPath([null, 0, 2, 4], 4, 40, 10)).toBe('M20.0 10v-5.0h8.5V10zM30.0 10v-10.0h8.5V10z');
});
