import type { Clock } from '../../base/clock.ts';
import { DiskError } from '../../proto/raftdeck/inspect.ts';
import type { WalFile, WalFiles } from '../wal/files.ts';
import type { Faults } from './faults.ts';

/** The log's way to the disk, with its faults: slow to sync, full, or broken. */
export function faultyFiles(files: WalFiles, faults: Faults, clock: Clock): WalFiles {
  const wrap = (file: WalFile): WalFile => ({
    write: async (bytes, position) => {
      assertRoom(faults);
      return file.write(bytes, position);
    },
    datasync: async () => {
      const { syncDelayMs } = faults.disk;
      if (syncDelayMs > 0) {
        await new Promise<void>((resolve) => clock.setTimer(syncDelayMs, resolve));
      }
      if (faults.disk.error === DiskError.BROKEN) {
        throw diskError('EIO', 'i/o error, fdatasync (on purpose)');
      }
      await file.datasync();
    },
    truncate: (length) => file.truncate(length),
    close: () => file.close(),
  });
  return {
    ...files,
    create: async (path) => {
      assertRoom(faults);
      return wrap(await files.create(path));
    },
    open: async (path) => wrap(await files.open(path)),
  };
}

function assertRoom(faults: Faults): void {
  if (faults.disk.error === DiskError.FULL) {
    throw diskError('ENOSPC', 'no space left on device, write (on purpose)');
  }
}

function diskError(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
