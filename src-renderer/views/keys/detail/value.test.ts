import { describe, expect, test } from 'vitest';
import { hexRow, hexRowCount, parseHexText, toHexText } from './hex.ts';
import { checkJson, formatJson, minifyJson } from './json-text.ts';

describe('JSON', () => {
  test('formatting moves white space only', () => {
    const text = '{"id":12345678901234567890,"id":1.50,"a":[],"o":{},"l":[1,"x,{y}"],"n":null}';
    const formatted = formatJson(text);
    expect(formatted).toBe(
      [
        '{',
        '  "id": 12345678901234567890,',
        '  "id": 1.50,',
        '  "a": [],',
        '  "o": {},',
        '  "l": [',
        '    1,',
        '    "x,{y}"',
        '  ],',
        '  "n": null',
        '}',
      ].join('\n'),
    );
    expect(formatJson(formatted)).toBe(formatted);
  });

  test('on one line it is the same again, to the last digit', () => {
    const text = '{"a":[1,2.50,{}],"b":"x: [1, 2]","c":12345678901234567890}';
    expect(minifyJson(formatJson(text))).toBe(text);
    expect(minifyJson('{ not json')).toBe('{ not json');
  });

  test('what is not JSON stays as it is, and the check names the line', () => {
    expect(formatJson('{"a":')).toBe('{"a":');
    const check = checkJson('{\n  "a": 1,\n  oops\n}');
    expect(check).toMatchObject({ ok: false, line: 3 });
  });
});

describe('hex', () => {
  test('dumps a row with offset and printable characters', () => {
    const bytes = Uint8Array.from({ length: 20 }, (_, i) => 0x3c + i * 2);
    expect(hexRowCount(bytes.length)).toBe(2);
    expect(hexRow(bytes, 1)).toEqual({
      offset: '00000010',
      hex: '5c 5e 60 62'.padEnd(48),
      ascii: '\\^`b',
    });
    expect(hexRow(bytes, 0).hex).toHaveLength(48);
  });

  test('reads back what it wrote, and says what is wrong with the rest', () => {
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => i % 256);
    expect(parseHexText(toHexText(bytes))).toEqual({ ok: true, bytes });
    expect(parseHexText('DE ad\n00')).toEqual({ ok: true, bytes: new Uint8Array([0xde, 0xad, 0]) });
    expect(parseHexText('0g')).toEqual({ ok: false, reason: 'digit', at: 1, found: 'g' });
    expect(parseHexText('abc')).toEqual({ ok: false, reason: 'odd' });
    expect(parseHexText('')).toEqual({ ok: true, bytes: new Uint8Array() });
  });
});
