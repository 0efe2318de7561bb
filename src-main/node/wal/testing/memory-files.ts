import { basename, dirname, join } from 'node:path';
import type { WalFile, WalFiles } from '../files.ts';

/** A disk in memory, which never fails and loses nothing: for tests that read thousands of logs. */
export class MemoryFiles implements WalFiles {
  /** By path. What is open stays what it is under another name. */
  readonly #files = new Map<string, { content: Buffer }>();

  async makeFolder(): Promise<void> {}

  async list(dir: string): Promise<string[]> {
    return this.names(dir);
  }

  async read(path: string): Promise<Buffer> {
    return Buffer.from(this.#file(path).content);
  }

  async create(path: string): Promise<WalFile> {
    this.#files.set(path, { content: Buffer.alloc(0) });
    return this.open(path);
  }

  async open(path: string): Promise<WalFile> {
    const file = this.#file(path);
    return {
      write: async (bytes, position) => {
        const room = Math.max(file.content.length, position + bytes.length);
        const content = Buffer.alloc(room);
        content.set(file.content);
        content.set(bytes, position);
        file.content = content;
        return bytes.length;
      },
      datasync: async () => {},
      truncate: async (length) => {
        file.content = file.content.subarray(0, length);
      },
      close: async () => {},
    };
  }

  async rename(from: string, to: string): Promise<void> {
    this.#files.set(to, this.#file(from));
    this.#files.delete(from);
  }

  async remove(path: string): Promise<void> {
    this.#files.delete(path);
  }

  async syncFolder(): Promise<void> {}

  /** The names of the files of a folder, in order. */
  names(dir: string): string[] {
    const paths = [...this.#files.keys()].filter((path) => dirname(path) === dir);
    return paths.map((path) => basename(path)).sort();
  }

  /** What a file holds, not copied; nothing ever changes it in place. */
  get(dir: string, name: string): Buffer {
    return this.#file(join(dir, name)).content;
  }

  put(dir: string, name: string, content: Buffer): void {
    this.#files.set(join(dir, name), { content });
  }

  /** Another disk with the same files. */
  copy(): MemoryFiles {
    const copy = new MemoryFiles();
    for (const [path, { content }] of this.#files) copy.#files.set(path, { content });
    return copy;
  }

  #file(path: string): { content: Buffer } {
    const file = this.#files.get(path);
    if (file === undefined) {
      throw Object.assign(new Error(`ENOENT: no such file, ${path}`), { code: 'ENOENT' });
    }
    return file;
  }
}
