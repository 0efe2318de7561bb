import { describe, expect, test } from 'vitest';
import { hexRow, hexRowCount, parseHexText, toHexText } from './hex.ts';
import { checkJson, formatJson, tokens } from './json-text.ts';
import { rowTokens, textRows } from './text-rows.ts';
import { inspectValue } from './value-kind.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);

describe('what a value is', () => {
  test('opens objects as JSON, words and bare numbers as text, the rest as hex', () => {
    expect(inspectValue(utf8('{"a":1}')).mode).toBe('json');
    expect(inspectValue(utf8('42'))).toMatchObject({ mode: 'text', isJson: true });
    expect(inspectValue(utf8('héllo\tworld\n')).mode).toBe('text');
    expect(inspectValue(new Uint8Array())).toMatchObject({ mode: 'text', isJson: false });
    expect(inspectValue(new Uint8Array([0xff, 0xfe])).mode).toBe('hex');
    expect(inspectValue(utf8('a\0b')).mode).toBe('hex');
  });

  test('tells line endings, which an editor would otherwise change', () => {
    expect(inspectValue(utf8('a\nb')).lineEnding).toBe('lf');
    expect(inspectValue(utf8('a\r\nb\r\n')).lineEnding).toBe('crlf');
    expect(inspectValue(utf8('a\r\nb\nc')).lineEnding).toBe('mixed');
    expect(inspectValue(utf8('a\rb')).lineEnding).toBe('mixed');
  });
});

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

  test('what is not JSON stays as it is, and the check names the line', () => {
    expect(formatJson('{"a":')).toBe('{"a":');
    const check = checkJson('{\n  "a": 1,\n  oops\n}');
    expect(check).toMatchObject({ ok: false, line: 3 });
  });

  test('tokens keep every character and tell names from strings', () => {
    const line = '  "a\\"b" : ["c", -1.5e3, true],';
    const list = tokens(line);
    expect(list.map((token) => token.text).join('')).toBe(line);
    const kinds = list.filter((token) => token.kind !== 'space').map((token) => token.kind);
    expect(kinds).toEqual([
      ...['name', 'punct', 'punct', 'string', 'punct', 'number', 'punct', 'word'],
      ...['punct', 'punct'],
    ]);
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

describe('rows of a text', () => {
  const shown = (text: string, columns: number) =>
    textRows(text, columns).map((row) => [row.line, text.slice(row.from, row.to)]);

  test('wrap at the width and number only the starts of lines', () => {
    expect(shown('abcdef\n\nxy', 4)).toEqual([
      [1, 'abcd'],
      [null, 'ef'],
      [2, ''],
      [3, 'xy'],
    ]);
    expect(shown('', 10)).toEqual([[1, '']]);
    expect(shown('a\n', 10)).toEqual([
      [1, 'a'],
      [2, ''],
    ]);
  });

  test('count wide characters and tabs, and never cut a character', () => {
    expect(shown('\tab', 3)).toEqual([
      [1, '\ta'],
      [null, 'b'],
    ]);
    expect(shown('\u{1f600}\u{1f600}中', 4)).toEqual([
      [1, '\u{1f600}\u{1f600}'],
      [null, '中'],
    ]);
    expect(shown('中', 1)).toEqual([[1, '中']]);
  });

  test('colour a string that goes over several rows', () => {
    const text = '{"name": "abcdefgh"}';
    const rows = textRows(text, 12);
    const kinds = rows.map((row) => rowTokens(text, row).map((t) => `${t.kind} ${t.text}`));
    expect(kinds).toEqual([
      ['punct {', 'name "name"', 'punct :', 'space  ', 'string "ab'],
      ['string cdefgh"', 'punct }'],
    ]);
  });

  test('a megabyte in one line is wrapped in reasonable time', () => {
    const text = 'x'.repeat(1_500_000);
    const rows = textRows(text, 80);
    expect(rows).toHaveLength(18_750);
    expect(rowTokens(text, rows[5] as (typeof rows)[number])).toHaveLength(1);
  });
});
