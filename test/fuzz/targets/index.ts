import type { MakeTarget } from '../target.ts';
import { codecsTarget } from './codecs.ts';
import { flagsTarget, urlsTarget } from './flags.ts';
import { hpackTarget } from './hpack.ts';
import { http1Target, http2Target } from './http.ts';
import { ipcTarget } from './ipc.ts';
import { peersTarget } from './peers.ts';
import { recordsTarget } from './records.ts';
import { requestsTarget } from './requests.ts';
import { boltTarget, stateSnapshotTarget } from './snapshot.ts';
import { walItemsTarget, walTarget } from './wal.ts';

/** All ways in, by name, and how many inputs each gets in the tests. */
export const TARGETS: Readonly<Record<string, { make: MakeTarget; testExecutions: number }>> = {
  wal: { make: walTarget, testExecutions: 500 },
  'wal-items': { make: walItemsTarget, testExecutions: 500 },
  'state-snapshot': { make: stateSnapshotTarget, testExecutions: 500 },
  bolt: { make: boltTarget, testExecutions: 200 },
  records: { make: recordsTarget, testExecutions: 1000 },
  codecs: { make: codecsTarget, testExecutions: 2000 },
  peers: { make: peersTarget, testExecutions: 300 },
  requests: { make: requestsTarget, testExecutions: 800 },
  flags: { make: flagsTarget, testExecutions: 1000 },
  urls: { make: urlsTarget, testExecutions: 2000 },
  hpack: { make: hpackTarget, testExecutions: 1000 },
  http2: { make: http2Target, testExecutions: 300 },
  http1: { make: http1Target, testExecutions: 300 },
  ipc: { make: ipcTarget, testExecutions: 1000 },
};
