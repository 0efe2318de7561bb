import { open, rename, stat } from 'node:fs/promises';
import { systemErrorCode } from './atomic-file.ts';

/**
 * Moves file -> file.1 -> file.2 … once it is larger than maxBytes; the oldest of `keep` files is
 * replaced.
 */
export async function rotateIfLarger(file: string, maxBytes: number, keep: number): Promise<void> {
  if ((await sizeOf(file)) <= maxBytes) return;
  for (let i = keep - 1; i >= 1; i--) {
    const from = i === 1 ? file : `${file}.${i - 1}`;
    try {
      await rename(from, `${file}.${i}`);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
    }
  }
}

/** 0 where there is no file. */
export async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

/** The last lines written after `fromOffset`, within maxBytes of the end. */
export async function lastLines(
  file: string,
  fromOffset: number,
  maxLines: number,
  maxBytes: number,
): Promise<string[]> {
  const size = await sizeOf(file);
  const start = Math.max(fromOffset, size - maxBytes);
  if (size <= start) return [];
  const handle = await open(file, 'r');
  try {
    const { bytesRead, buffer } = await handle.read(
      Buffer.alloc(size - start),
      0,
      size - start,
      start,
    );
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    return lines.filter((line) => line.trim() !== '').slice(-maxLines);
  } finally {
    await handle.close();
  }
}
