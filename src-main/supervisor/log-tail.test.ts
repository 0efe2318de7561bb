import { appendFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LogLine } from '../contract/views.ts';
import { parseLogLine } from './log-line.ts';
import { LogRing } from './log-ring.ts';
import { LogTail } from './log-tail.ts';
import { eventually, tempDir } from './testing/fixtures.ts';

const json = (msg: string, level = 'info') => `${JSON.stringify({ level, msg })}\n`;
const messages = (tail: LogTail) => tail.query().map((line) => line.message);

async function openTail(): Promise<{ tail: LogTail; file: string }> {
  const file = join(await tempDir(), 'n1.log');
  const tail = new LogTail({ file, node: 'n1', pollMs: 5 });
  onTestFinished(() => tail.dispose());
  return { tail, file };
}

describe('log lines', () => {
  it('of our nodes are read', () => {
    const text = '{"level":"warn","ts":"2026-11-22T10:00:00.500Z","node":"n1","msg":"slow","ms":7}';
    expect(parseLogLine(text)).toEqual({
      atMs: Date.UTC(2026, 10, 22, 10, 0, 0, 500),
      level: 'warn',
      message: 'slow',
      fields: { node: 'n1', ms: 7 },
    });
  });

  it("of etcd's zap are read, in both of its time formats", () => {
    const iso = parseLogLine('{"level":"fatal","ts":"2026-11-22T10:00:00.500+0100","msg":"no"}');
    expect(iso).toMatchObject({ level: 'error', atMs: Date.UTC(2026, 10, 22, 9, 0, 0, 500) });
    expect(parseLogLine('{"ts":1700000000.25,"msg":"x"}').atMs).toBe(1_700_000_000_250);
  });

  it.each(['panic: oh', '[1,2]', 'null', '"text"', '{"half":'])(
    'that are no object stay: %s',
    (t) => {
      expect(parseLogLine(t)).toEqual({ atMs: null, level: 'info', message: t, fields: {} });
    },
  );
});

describe('log tail', () => {
  it('reads what is there, then what comes, and tells subscribers', async () => {
    const { tail, file } = await openTail();
    await writeFile(file, json('a'));
    const told: string[] = [];
    tail.onLines((lines) => told.push(...lines.map((line) => line.message)));
    tail.follow();
    await eventually(() => expect(told).toEqual(['a']));
    await appendFile(file, json('b') + json('c'));
    await eventually(() => expect(told).toEqual(['a', 'b', 'c']));
    expect(tail.query().map((line) => line.seq)).toEqual([1, 2, 3]);
  });

  it('waits for the file to appear', async () => {
    const { tail, file } = await openTail();
    await tail.poll();
    await writeFile(file, json('born'));
    await tail.poll();
    expect(messages(tail)).toEqual(['born']);
  });

  it('holds half lines back, even within a character', async () => {
    const { tail, file } = await openTail();
    const bytes = Buffer.from(json('grün'));
    const middle = bytes.indexOf(0xbc);
    await writeFile(file, bytes.subarray(0, middle));
    await tail.poll();
    expect(messages(tail)).toEqual([]);
    await appendFile(file, bytes.subarray(middle));
    await tail.poll();
    expect(messages(tail)).toEqual(['grün']);
  });

  it('loses nothing across a rotation', async () => {
    const { tail, file } = await openTail();
    await writeFile(file, json('a'));
    await tail.poll();
    await appendFile(file, json('last of the old'));
    await rename(file, `${file}.1`);
    await writeFile(file, json('first of the new'));
    await tail.poll();
    expect(messages(tail)).toEqual(['a', 'last of the old', 'first of the new']);
  });

  it('goes on with the renamed file while there is no new one', async () => {
    const { tail, file } = await openTail();
    await writeFile(file, json('a'));
    await tail.poll();
    await rename(file, `${file}.1`);
    await appendFile(`${file}.1`, json('b'));
    await tail.poll();
    expect(messages(tail)).toEqual(['a', 'b']);
  });

  it('starts anew after a truncation, without the half line before it', async () => {
    const { tail, file } = await openTail();
    await writeFile(file, `${json('a, long enough to be seen shrinking')}{"msg":"ha`);
    await tail.poll();
    await truncate(file, 0);
    await appendFile(file, json('b'));
    await tail.poll();
    expect(messages(tail)).toEqual(['a, long enough to be seen shrinking', 'b']);
  });

  it('reads the end of a large old log from a whole line on', async () => {
    const { tail, file } = await openTail();
    const line = json('x'.repeat(1_000));
    await writeFile(file, line.repeat(1_000) + json('newest'));
    await tail.poll();
    const all = messages(tail);
    expect(all.at(-1)).toBe('newest');
    expect(all.length).toBeLessThan(1_000);
    expect(new Set(all)).toEqual(new Set(['x'.repeat(1_000), 'newest']));
  });

  it('cuts a line without end instead of holding it', async () => {
    const { tail, file } = await openTail();
    await writeFile(file, 'y'.repeat(300 * 1024));
    await tail.poll();
    expect(messages(tail).map((m) => m.length)).toEqual([256 * 1024]);
  });
});

describe('log ring', () => {
  const line = (seq: number, level: LogLine['level'], message: string): LogLine => ({
    seq,
    node: 'n1',
    atMs: null,
    level,
    message,
    fields: {},
  });

  it('keeps the newest lines only', () => {
    const ring = new LogRing({ maxLines: 3, maxChars: 1_000 });
    for (let i = 1; i <= 10; i++) ring.push(line(i, 'info', 'm'), 'm');
    expect(ring.query().map((l) => l.seq)).toEqual([8, 9, 10]);
  });

  it('keeps within its characters', () => {
    const ring = new LogRing({ maxLines: 100, maxChars: 25 });
    for (let i = 1; i <= 5; i++) ring.push(line(i, 'info', ''), 'x'.repeat(10));
    expect(ring.query().map((l) => l.seq)).toEqual([4, 5]);
  });

  it('filters by text, level and position', () => {
    const ring = new LogRing();
    ring.push(line(1, 'debug', 'Leader lost'), '{"msg":"Leader lost"}');
    ring.push(line(2, 'warn', 'slow disk'), '{"msg":"slow disk","peer":"n3"}');
    ring.push(line(3, 'error', 'leader gone'), '{"msg":"leader gone"}');
    const seqs = (query: Parameters<LogRing['query']>[0]) => ring.query(query).map((l) => l.seq);
    expect(seqs({ search: 'LEADER' })).toEqual([1, 3]);
    expect(seqs({ search: 'n3' })).toEqual([2]);
    expect(seqs({ minLevel: 'warn' })).toEqual([2, 3]);
    expect(seqs({ afterSeq: 1, limit: 1 })).toEqual([3]);
  });
});
