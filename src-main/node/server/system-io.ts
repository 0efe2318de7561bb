import { createReadStream } from 'node:fs';
import type { Clock } from '../../base/clock.ts';
import { seededRandom } from '../../base/prng.ts';
import { askMembers } from '../peer/ask-members.ts';
import { PeerTransport } from '../peer/transport.ts';
import { LmdbStateStore } from '../storage/lmdb-store.ts';
import { systemFiles } from '../wal/files.ts';
import { claimDataDir } from './data-dir.ts';
import type { NodeDisk, NodeIo, NodeNetwork } from './io.ts';

export const systemDisk: NodeDisk = {
  files: systemFiles,
  claim: claimDataDir,
  openStore: (dir) => LmdbStateStore.open(dir),
  readInPieces: (path) => createReadStream(path),
};

const systemNetwork: NodeNetwork = {
  open: (options, handler) => new PeerTransport(options, handler),
  askMembers,
};

/** The real world, for one process. */
export function systemIo(clock: Clock): NodeIo {
  return {
    clock,
    random: seededRandom(Number(process.hrtime.bigint() & 0xffffffffn) ^ process.pid),
    startMs: Date.now(),
    schedule: setImmediate,
    disk: systemDisk,
    network: systemNetwork,
  };
}
