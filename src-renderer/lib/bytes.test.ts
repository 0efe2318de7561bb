import { describe, expect, it } from 'vitest';
import {
  compareBytes,
  displayBytes,
  displayShort,
  equalBytes,
  fromBase64,
  fromHex,
  isPlainText,
  parseEscapes,
  prefixRangeEnd,
  toBase64,
  toHex,
  utf8Decode,
  utf8Encode,
} from './bytes.ts';

describe('displayBytes', () => {
  it.each([
    ['/config/a', utf8Encode('/config/a')],
    ['键/é🙂', utf8Encode('键/é🙂')],
    ['a\\nb\\tc\\rd', utf8Encode('a\nb\tc\rd')],
    ['C:\\\\x', utf8Encode('C:\\x')],
    ['\\x00\\x7f', Uint8Array.of(0, 0x7f)],
    ['\\xffok\\xfe', Uint8Array.of(0xff, 0x6f, 0x6b, 0xfe)],
    // A sequence that ends too early keeps what is valid after it.
    ['\\xe4\\xb8a', Uint8Array.of(0xe4, 0xb8, 0x61)],
    // Right-to-left override, zero-width space, byte order mark: they would show as nothing.
    ['a\\xe2\\x80\\xaeb', utf8Encode('a\u202eb')],
    ['a\\xe2\\x80\\x8bb', utf8Encode('a\u200bb')],
    ['\\xef\\xbb\\xbfa', utf8Encode('\ufeffa')],
    ['', new Uint8Array()],
  ])('shows %s', (shown, bytes) => {
    expect(displayBytes(bytes)).toBe(shown);
  });

  it('is undone by parseEscapes, whatever the bytes', () => {
    let seed = 1;
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed;
    };
    for (let i = 0; i < 300; i++) {
      const bytes = Uint8Array.from({ length: random() % 20 }, () => (random() >> 8) % 256);
      expect(parseEscapes(displayBytes(bytes))).toEqual({ ok: true, bytes });
    }
  });
});

describe('displayShort', () => {
  it('keeps both ends', () => {
    expect(displayShort(utf8Encode('/registry/pods/default/a'), 11)).toBe('/regi…ult/a');
    expect(displayShort(utf8Encode('short'), 11)).toBe('short');
  });
});

describe('parseEscapes', () => {
  it('says where an unknown escape is', () => {
    expect(parseEscapes('ab\\q')).toEqual({ ok: false, at: 2 });
    expect(parseEscapes('\\x4')).toEqual({ ok: false, at: 0 });
    expect(parseEscapes('\\')).toEqual({ ok: false, at: 0 });
  });

  it('takes \\0', () => {
    expect(parseEscapes('a\\0')).toEqual({ ok: true, bytes: Uint8Array.of(0x61, 0) });
  });
});

describe('hex and base64', () => {
  it('go there and back', () => {
    const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => i % 256);
    expect(fromHex(toHex(bytes))).toEqual(bytes);
    expect(fromBase64(toBase64(bytes))).toEqual(bytes);
  });

  it('refuse what they are not', () => {
    expect(fromHex('abc')).toBeNull();
    expect(fromHex('zz')).toBeNull();
    expect(fromHex('ab cd\n01')).toEqual(Uint8Array.of(0xab, 0xcd, 1));
    expect(fromBase64('***')).toBeNull();
  });
});

describe('order', () => {
  it('is that of bytes, a prefix first', () => {
    expect(compareBytes(utf8Encode('a'), utf8Encode('b'))).toBeLessThan(0);
    expect(compareBytes(utf8Encode('a'), utf8Encode('ab'))).toBeLessThan(0);
    expect(compareBytes(Uint8Array.of(0xff), Uint8Array.of(0x7f))).toBeGreaterThan(0);
    expect(equalBytes(utf8Encode('x'), utf8Encode('x'))).toBe(true);
    expect(equalBytes(utf8Encode('x'), utf8Encode('xy'))).toBe(false);
  });

  it('ends a prefix as etcd does', () => {
    expect(prefixRangeEnd(utf8Encode('/a'))).toEqual(utf8Encode('/b'));
    expect(prefixRangeEnd(Uint8Array.of(0x61, 0xff))).toEqual(Uint8Array.of(0x62));
    expect(prefixRangeEnd(Uint8Array.of(0xff, 0xff))).toEqual(Uint8Array.of(0));
    expect(prefixRangeEnd(new Uint8Array())).toEqual(Uint8Array.of(0));
  });
});

describe('isPlainText', () => {
  it('allows line breaks and tabs, no other control', () => {
    expect(isPlainText(utf8Encode('a\n\tb\r\n'))).toBe(true);
    expect(isPlainText(Uint8Array.of(0x61, 0))).toBe(false);
    expect(isPlainText(Uint8Array.of(0xff))).toBe(false);
    expect(utf8Decode(Uint8Array.of(0xff))).toBeNull();
  });
});
