import { expect, it } from 'vitest';
import { crc32c } from './crc32c.ts';

/** RFC 3720, appendix B.4; the check value is that of every catalogue of CRCs. */
it.each([
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
  ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['ascending', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
  ['descending', Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c],
])('gives the known sum of %s', (_, bytes, sum) => {
  expect(crc32c(bytes)).toBe(sum);
});

it('goes on where another sum ended, wherever the bytes are cut', () => {
  const bytes = Buffer.from(Array.from({ length: 50 }, (_, i) => (i * 37) & 0xff));
  for (let cut = 0; cut <= bytes.length; cut++) {
    expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).toBe(crc32c(bytes));
  }
});
