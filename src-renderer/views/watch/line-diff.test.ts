import { expect, test } from 'vitest';
import { diffLines, markLine, partners, withContext } from './line-diff.ts';

function shown(before: string, after: string): string[] {
  return diffLines(before, after).lines.map((line) => `${line.sign}${line.line} ${line.text}`);
}

test('pairs what stayed and numbers each side by its own text', () => {
  expect(shown('a\nb\nc', 'a\nx\nc\nd')).toEqual([' 1 a', '-2 b', '+2 x', ' 3 c', '+4 d']);
});

test('finds a move in the middle as one removal and one addition', () => {
  const diff = diffLines('1\n2\n3\n4', '2\n3\n1\n4');
  expect([diff.removed, diff.added]).toEqual([1, 1]);
});

test('does not try to pair texts that are too long', () => {
  const before = Array.from({ length: 1_500 }, (_, i) => `a${i}`).join('\n');
  const after = Array.from({ length: 1_500 }, (_, i) => `b${i}`).join('\n');
  const diff = diffLines(before, after);
  expect(diff.coarse).toBe(true);
  expect([diff.removed, diff.added]).toEqual([1_500, 1_500]);
});

test('leaves out what is far from a change and marks the gaps', () => {
  const before = Array.from({ length: 20 }, (_, i) => `${i}`);
  const after = before.with(10, 'ten');
  const rows = withContext(diffLines(before.join('\n'), after.join('\n')).lines, 1);
  expect(rows.map((row) => (row === null ? '…' : `${row.sign}${row.text}`))).toEqual([
    '…',
    ' 9',
    '-10',
    '+ten',
    ' 11',
    '…',
  ]);
});

test('marks what changed within a line and shortens the rest', () => {
  const marked = markLine(
    `{"a":1,"b":2,"c":"${'x'.repeat(100)}"}`,
    `{"a":1,"b":30,"c":"${'x'.repeat(100)}"}`,
  );
  expect(marked.before).toMatchObject({ head: '{"a":1,"b":', changed: '2' });
  expect(marked.after.changed).toBe('30');
  expect(marked.after.tail.endsWith('x…')).toBe(true);
  expect(markLine('aa', 'aaa').after).toEqual({ head: 'aa', changed: 'a', tail: '' });
});

test('pairs replaced lines, but not unequal numbers of them', () => {
  const { lines } = diffLines('1\na\n2\nb', '1\nx\n2\ny\nz');
  const texts = partners(lines).map((line) => line?.text ?? null);
  expect(texts).toEqual([null, 'x', 'a', null, null, null, null]);
});
