import { posix } from 'node:path';
import type { WalFile, WalFiles } from '../../src-main/node/wal/files.ts';
import type { Chance } from './chance.ts';
import type { Counted } from './coverage.ts';
import { SimFile } from './sim-file.ts';
import { never, type SimProcess } from './sim-process.ts';
import type { World } from './world.ts';

/** A change of a folder's entries, done or not done as a whole. */
type FolderChange = { set: Map<string, SimFile>; removed: string[] };

/** How bad a disk is at the moment. */
export interface DiskTrouble {
  /** Milliseconds of a sync, on average. */
  syncMs: number;
  /** No byte more. */
  full: boolean;
  /** Of a sync, or of a write, to fail. */
  ioErrors: number;
  /** Syncs answer at once and do nothing. */
  lies: boolean;
  /** Of a write to take fewer bytes than it was given. */
  shortWrites: number;
}

const SOUND: Omit<DiskTrouble, 'syncMs'> = {
  full: false,
  ioErrors: 0,
  lies: false,
  shortWrites: 0,
};

/** One member's disk. It outlives the member's processes. */
export class SimDisk {
  readonly world: World;
  readonly chance: Chance;
  trouble: DiskTrouble;
  /** Milliseconds of a sync while nothing is wrong: each disk has its own pace. */
  readonly #syncMs: number;
  /** Counted since the last start: a member may stop because of one. */
  errorsGiven = 0;
  /** It has lied: after a power cut nothing on it can be relied on. */
  hasLied = false;
  /** The next power cut tears what was written last. */
  tears = false;
  /** Tells what happened, by name. */
  readonly #count: (what: Counted, times?: number) => void;
  readonly #folders = new Set<string>();
  readonly #names = new Map<string, SimFile>();
  readonly #durableNames = new Map<string, SimFile>();
  /** By folder, oldest first: entries that are not synced. */
  readonly #pending = new Map<string, FolderChange[]>();

  constructor(
    world: World,
    chance: Chance,
    count: (what: Counted, times?: number) => void = () => {},
  ) {
    this.world = world;
    this.chance = chance;
    this.#syncMs = chance.pick([0.2, 0.5, 2, 8]) ?? 0.5;
    this.trouble = this.#sound();
    this.#count = count;
  }

  heal(): void {
    this.trouble = this.#sound();
  }

  #sound(): DiskTrouble {
    return { ...SOUND, syncMs: this.#syncMs };
  }

  /** The power went: what was not synced is gone, wholly or partly. */
  powerCut(): void {
    for (const changes of this.#pending.values()) {
      // A journal replays in order.
      for (const change of changes.slice(0, this.chance.integer(0, changes.length))) {
        apply(this.#durableNames, change);
      }
    }
    this.#pending.clear();
    this.#names.clear();
    for (const [path, file] of this.#durableNames) this.#names.set(path, file);
    for (const file of new Set(this.#names.values())) {
      const { lost, torn } = file.powerCut(this.chance, this.tears);
      this.#count('unsynced changes lost', lost);
      this.#count('records torn', torn);
    }
    this.tears = false;
  }

  /** Everything is gone: a new disk. */
  wipe(): void {
    this.#names.clear();
    this.#durableNames.clear();
    this.#pending.clear();
    this.#folders.clear();
  }

  paths(): string[] {
    return [...this.#names.keys()];
  }

  file(path: string): SimFile | undefined {
    return this.#names.get(path);
  }

  /** The disk as one process sees it. */
  filesFor(process: SimProcess): WalFiles {
    return {
      makeFolder: async (dir) => {
        this.#folders.add(dir);
      },
      list: async (dir) => this.#list(dir),
      read: async (path) => this.#find(path).read(),
      create: async (path) => {
        if (!process.alive) return never();
        this.#maybeFail('open', path);
        if (this.trouble.full) throw this.error('ENOSPC', `open '${path}'`);
        const file = new SimFile();
        this.#changeFolder(posix.dirname(path), { set: new Map([[path, file]]), removed: [] });
        return this.#handle(process, file, path);
      },
      open: async (path) => this.#handle(process, this.#find(path), path),
      rename: async (from, to) => {
        if (!process.passes('write')) return never();
        this.#maybeFail('rename', from);
        const set = new Map([[to, this.#find(from)]]);
        this.#changeFolder(posix.dirname(to), { set, removed: [from] });
      },
      remove: async (path) => {
        if (!process.alive) return never();
        if (!this.#names.has(path)) return;
        this.#changeFolder(posix.dirname(path), { set: new Map(), removed: [path] });
      },
      syncFolder: async (dir) => {
        const changes = new Set(this.#pending.get(dir));
        await this.#sync(process, dir);
        const pending = this.#pending.get(dir) ?? [];
        for (const change of pending) if (changes.has(change)) apply(this.#durableNames, change);
        this.#pending.set(
          dir,
          pending.filter((change) => !changes.has(change)),
        );
      },
    };
  }

  async *readInPieces(process: SimProcess, path: string): AsyncGenerator<Buffer> {
    const bytes = this.#find(path).read();
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      await this.world.sleep(this.chance.around(0.1), process);
      yield bytes.subarray(at, at + PIECE_BYTES);
    }
  }

  /** Time that a sync takes now. */
  syncDelayMs(): number {
    return this.chance.around(this.trouble.syncMs);
  }

  #handle(process: SimProcess, file: SimFile, path: string): WalFile {
    return {
      write: async (bytes, position) => {
        if (!process.passes('write')) return never();
        this.#maybeFail('write', path);
        const grows = position + bytes.length > file.length;
        if (this.trouble.full && grows) {
          // As a file system does: what fits is taken first.
          const room = file.length - position;
          if (room <= 0) throw this.error('ENOSPC', 'write');
          file.write(bytes.subarray(0, room), position);
          return room;
        }
        const isShort = bytes.length > 1 && this.chance.happens(this.trouble.shortWrites);
        const length = isShort ? this.chance.integer(1, bytes.length - 1) : bytes.length;
        file.write(bytes.subarray(0, length), position);
        if (isShort) this.#count('short writes');
        return length;
      },
      datasync: async () => {
        const upTo = file.lastChange;
        if (this.trouble.lies) {
          if (!process.passes('sync')) return never();
          this.hasLied = true;
          this.#count('syncs that lied');
          file.syncFailed(upTo);
          return;
        }
        await this.#sync(process, path, () => file.syncFailed(upTo));
        file.synced(upTo);
        if (!process.passes('synced')) return never();
      },
      truncate: async (length) => {
        if (!process.alive) return never();
        file.truncate(length);
      },
      close: async () => {},
    };
  }

  async #sync(process: SimProcess, path: string, onFailure = () => {}): Promise<void> {
    if (!process.passes('sync')) return never();
    await this.world.sleep(this.syncDelayMs(), process);
    if (!process.alive) return never();
    try {
      this.#maybeFail('fdatasync', path);
    } catch (error) {
      onFailure();
      throw error;
    }
  }

  #maybeFail(call: string, path: string): void {
    if (this.chance.happens(this.trouble.ioErrors)) throw this.error('EIO', `${call} '${path}'`);
  }

  /** One that a process gets from the disk. */
  error(code: 'ENOSPC' | 'EIO', what: string): NodeJS.ErrnoException {
    this.errorsGiven++;
    this.#count(code === 'ENOSPC' ? 'disk full' : 'disk errors');
    return Object.assign(new Error(`${code}: simulated, ${what}`), { code });
  }

  #find(path: string): SimFile {
    const file = this.#names.get(path);
    if (file !== undefined) return file;
    throw Object.assign(new Error(`ENOENT: no such file, '${path}'`), { code: 'ENOENT' });
  }

  #list(dir: string): string[] {
    return [...this.#names.keys(), ...this.#folders]
      .filter((path) => posix.dirname(path) === dir)
      .map((path) => posix.basename(path));
  }

  #changeFolder(dir: string, change: FolderChange): void {
    apply(this.#names, change);
    const pending = this.#pending.get(dir);
    if (pending === undefined) this.#pending.set(dir, [change]);
    else pending.push(change);
  }
}

const PIECE_BYTES = 64 * 1024;

function apply(names: Map<string, SimFile>, { set, removed }: FolderChange): void {
  for (const path of removed) names.delete(path);
  for (const [path, file] of set) names.set(path, file);
}
