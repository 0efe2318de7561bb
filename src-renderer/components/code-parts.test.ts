import { expect, test } from 'vitest';
import { codeParts } from './code-parts.ts';

const words = (code: string) =>
  codeParts(code)
    .filter(({ isWord }) => isWord)
    .map(({ text }) => text);

test('a command breaks between words, and in a flag after = and between items', () => {
  expect(words('etcdctl --endpoints=127.0.0.1:2379,b:1 watch --prefix a=b,c')).toEqual([
    'etcdctl',
    '--endpoints=',
    '127.0.0.1:2379,',
    'b:1',
    'watch',
    '--prefix',
    'a=b,c',
  ]);
});

test('nothing is lost or added, whatever it is', () => {
  for (const code of [
    '',
    ' ',
    'txn <<\'EOF\'\nmod("k") = "0"\n\n\nEOF',
    '--=,,',
    'x'.repeat(9_000),
  ]) {
    const parts = codeParts(code);
    expect(parts.map(({ text }) => text).join('')).toBe(code);
    expect(parts.length).toBeLessThan(50);
  }
});
