/** Castagnoli's polynomial, bits reversed. */
const POLYNOMIAL = 0x82f63b78;

/** Eight tables: the i-th advances a byte over i zero bytes, so that eight bytes go at a time. */
const TABLES: readonly Uint32Array[] = makeTables();

function makeTables(): Uint32Array[] {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    first[byte] = crc;
  }
  const tables = [first];
  for (let i = 1; i < 8; i++) {
    const previous = tables[i - 1] as Uint32Array;
    tables.push(previous.map((crc) => (crc >>> 8) ^ (first[crc & 0xff] as number)));
  }
  return tables;
}

/**
 * CRC-32C, as etcd hashes its state by. (node:zlib has the CRC-32 of another polynomial.) `previous`
 * is what the bytes before gave.
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES as [
    ...[Uint32Array, Uint32Array, Uint32Array, Uint32Array],
    ...[Uint32Array, Uint32Array, Uint32Array, Uint32Array],
  ];
  const at = (table: Uint32Array, byte: number) => table[byte & 0xff] as number;
  let crc = ~previous;
  let i = 0;
  for (const end = bytes.length - 8; i <= end; i += 8) {
    const low =
      crc ^
      ((bytes[i] as number) |
        ((bytes[i + 1] as number) << 8) |
        ((bytes[i + 2] as number) << 16) |
        ((bytes[i + 3] as number) << 24));
    crc =
      at(t7, low) ^
      at(t6, low >>> 8) ^
      at(t5, low >>> 16) ^
      at(t4, low >>> 24) ^
      at(t3, bytes[i + 4] as number) ^
      at(t2, bytes[i + 5] as number) ^
      at(t1, bytes[i + 6] as number) ^
      at(t0, bytes[i + 7] as number);
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ at(t0, crc ^ (bytes[i] as number));
  return ~crc >>> 0;
}
