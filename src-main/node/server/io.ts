import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/prng.ts';
import type { PeerMembers } from '../../proto/raftdeck/internal.ts';
import type { Schedule } from '../mvcc/schedule.ts';
import type { PeerHandler, PeerIdentity, PeerNetwork, PeerNetworkOptions } from '../peer/types.ts';
import type { StateStore } from '../storage/types.ts';
import type { WalFiles } from '../wal/files.ts';

/** Where a node keeps what must outlive it. */
export interface NodeDisk {
  /** Everything but the state: the log, the folder's marker, snapshots that come in. */
  readonly files: WalFiles;
  /** Size of the log's segments; the product's own if it is not set. */
  readonly segmentBytes?: number;
  /** Makes sure that the folder can be this node's. Throws DataDirError. */
  claim(dir: string): void;
  /** Opens the state in that folder, or makes an empty one. Throws DataDirInUse and StateCorrupt. */
  openStore(dir: string): Promise<StateStore>;
  /** A file of any size, in pieces. */
  readInPieces(path: string): AsyncIterable<Uint8Array>;
}

/** The way to the other members. */
export interface NodeNetwork {
  open(options: PeerNetworkOptions, handler: PeerHandler): PeerNetwork;
  /** Asks a member of a cluster that this node is not part of yet who is in it. Rejects if nobody answers there. */
  askMembers(
    address: { host: string; port: number },
    versions: Pick<PeerIdentity, 'version' | 'apiVersion'>,
  ): Promise<PeerMembers>;
}

/**
 * A node's whole contact with the world, but for its clients: time, chance, disk and peers. The simulator passes its
 * own; whatever else the node does follows from this and from what its clients ask.
 */
export interface NodeIo {
  readonly clock: Clock;
  readonly random: Random;
  /** Unix milliseconds when this process began: where ids that must not repeat start from. */
  readonly startMs: number;
  readonly schedule: Schedule;
  readonly disk: NodeDisk;
  readonly network: NodeNetwork;
}
