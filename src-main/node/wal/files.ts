import { fdatasync, writeSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';

/** A segment that is open for writing. */
export interface WalFile {
  /** Answers how many bytes were written, which may be fewer. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  /** fdatasync: contents and length are durable when it resolves. */
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** The log's whole contact with the disk, so that tests can make it fail. */
export interface WalFiles {
  makeFolder(dir: string): Promise<void>;
  /** Names in a folder; empty if there is none. */
  list(dir: string): Promise<string[]>;
  read(path: string): Promise<Buffer>;
  create(path: string): Promise<WalFile>;
  open(path: string): Promise<WalFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes created, renamed and removed names durable. */
  syncFolder(dir: string): Promise<void>;
}

async function openFile(path: string, flags: string): Promise<WalFile> {
  const handle = await open(path, flags, 0o600);
  return {
    // Into the page cache, which takes less than the way to another thread and back. The sync, which waits for the disk,
    // does go there.
    write: async (bytes, position) => writeSync(handle.fd, bytes, 0, bytes.length, position),
    datasync: () =>
      new Promise((resolve, reject) => {
        fdatasync(handle.fd, (error) => (error === null ? resolve() : reject(error)));
      }),
    truncate: (length) => handle.truncate(length),
    close: () => handle.close(),
  };
}

export const systemFiles: WalFiles = {
  makeFolder: async (dir) => {
    await mkdir(dir, { recursive: true, mode: 0o700 });
  },
  list: async (dir) => {
    try {
      return await readdir(dir);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  },
  read: (path) => readFile(path),
  create: (path) => openFile(path, 'w'),
  open: (path) => openFile(path, 'r+'),
  rename,
  remove: (path) => rm(path, { force: true }),
  syncFolder: async (dir) => {
    // Windows cannot sync a folder and does not need it.
    if (process.platform === 'win32') return;
    const folder = await open(dir, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
};

/** Writes all of it, however little the disk takes at a time. */
export async function writeAll(file: WalFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const written = await file.write(bytes.subarray(at), position + at);
    if (written <= 0) throw new Error('nothing was written');
    at += written;
  }
}
