/** Compressed values, unpacked to a limit: a few bytes may unpack to gigabytes. */

/** More is refused, whatever it would be. */
export const MAX_UNPACKED_BYTES = 16 * 1024 * 1024;

export type Packing = 'gzip' | 'zlib';

export type Unpacked =
  | { ok: true; bytes: Uint8Array }
  | { ok: false; reason: 'tooLarge' }
  | { ok: false; reason: 'broken' };

/** By the magic of RFC 1952, or the header of RFC 1950 with the usual 32 KiB window. */
export function packingOf(value: Uint8Array): Packing | null {
  const [first = 0, second = 0, third = 0] = value;
  if (value.length >= 18 && first === 0x1f && second === 0x8b && third === 8) return 'gzip';
  const isZlib = first === 0x78 && (first * 256 + second) % 31 === 0 && (second & 0x20) === 0;
  return value.length >= 8 && isZlib ? 'zlib' : null;
}

/** Stops reading at the limit, so that a bomb costs no more than that. */
export async function unpack(
  value: Uint8Array,
  packing: Packing,
  maxBytes = MAX_UNPACKED_BYTES,
): Promise<Unpacked> {
  const source = new Blob([value as Uint8Array<ArrayBuffer>]).stream();
  const format = packing === 'gzip' ? 'gzip' : 'deflate';
  const reader = source.pipeThrough(new DecompressionStream(format)).getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value: chunk } = await reader.read();
      if (done) break;
      length += chunk.length;
      if (length > maxBytes) {
        await reader.cancel();
        return { ok: false, reason: 'tooLarge' };
      }
      chunks.push(chunk);
    }
  } catch {
    return { ok: false, reason: 'broken' };
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return { ok: true, bytes };
}
