import type { NodeIo } from '../server/io.ts';
import { faultyFiles } from './fault-files.ts';
import { faultyNetwork } from './fault-network.ts';
import type { Faults } from './faults.ts';

/** The same world, disturbed by whatever faults are in force. The state in LMDB is not: what it lost is in the log. */
export function faultyIo(io: NodeIo, faults: Faults): NodeIo {
  const { clock, random, disk, network } = io;
  return {
    ...io,
    disk: { ...disk, files: faultyFiles(disk.files, faults, clock) },
    network: faultyNetwork(network, faults, clock, random),
  };
}
