import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AssertionError } from '../../base/assert.ts';
import { silentLogger } from '../../base/logger.ts';
import { seededRandom } from '../../base/prng.ts';
import { Message, MessageType } from '../../proto/raftdeck/raft.ts';
import { TestClock } from '../api/testing/call.ts';
import { createStateMachine } from '../apply/state-machine.ts';
import { MemoryStore } from '../apply/testing/memory-store.ts';
import { RaftNode } from '../raft/index.ts';
import { createWal } from '../wal/wal.ts';
import { emptyConfState } from './bootstrap.ts';
import { RaftDriver } from './driver.ts';
import { Proposals } from './proposals.ts';

const schedule = (run: () => void) => setImmediate(run);

test('a broken invariant stops the node, and is not blamed on whoever sent the message', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'raftdeck-driver-'));
  const wal = await createWal(dir, { clusterId: 1n, memberId: 1n });
  try {
    const store = new MemoryStore();
    const state = createStateMachine(
      store,
      { maxTxnOps: 1, quotaBytes: 0, memberId: 1n },
      { schedule },
    );
    const raft = new RaftNode(
      {
        id: 1n,
        electionTicks: 10,
        heartbeatTicks: 1,
        preVote: true,
        checkQuorum: true,
        maxBytesPerAppend: 1e6,
        maxInflightAppends: 10,
        maxUncommittedBytes: 1e6,
        random: seededRandom(1),
      },
      {
        hardState: { term: 0, vote: 0n, commit: 0 },
        confState: emptyConfState([1n]),
        snapshot: { index: 0, term: 0 },
        entries: [],
        applied: 0,
      },
    );
    const fatal: unknown[] = [];
    let leads = () => {};
    const leading = new Promise<void>((resolve) => {
      leads = resolve;
    });
    const driver = new RaftDriver({
      group: 0,
      raft,
      wal,
      store,
      state,
      proposals: new Proposals(1n, 0),
      clock: new TestClock(),
      schedule,
      logger: silentLogger,
      tickMs: 100,
      electionTimeoutMs: 1000,
      send: () => {},
      sendSnapshot: () => {},
      installSnapshot: () => Promise.reject(new Error('not asked for')),
      onInstalled: () => {},
      onLeadership: (_leader, role) => {
        if (role === 'leader') leads();
      },
      onApplied: () => {},
      onFatal: (error) => fatal.push(error),
    });
    raft.campaign();
    driver.wake();
    await leading;
    const message = { type: MessageType.HEARTBEAT, from: 2n, to: 1n, term: raft.term };
    expect(() => driver.step([Message.fromPartial(message)])).not.toThrow();
    expect(fatal).toHaveLength(1);
    expect(fatal[0]).toBeInstanceOf(AssertionError);
    await driver.stop();
  } finally {
    await wal.close();
    await rm(dir, { recursive: true, force: true });
  }
});
