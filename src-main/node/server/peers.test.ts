import { expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/logger.ts';
import { TestClock } from '../api/testing/call.ts';
import { createStateMachine } from '../apply/state-machine.ts';
import { MemoryStore } from '../apply/testing/memory-store.ts';
import { parseNodeFlags } from '../config.ts';
import type { PeerHandler } from '../peer/types.ts';
import { systemFiles } from '../wal/files.ts';
import { Peers } from './peers.ts';
import { systemDisk, systemIo } from './system-io.ts';

test('a member that cannot note its removal stops with that failure, and not by surprise', async () => {
  const config = parseNodeFlags(['--name=a', '--data-dir=/nowhere']);
  if (config === undefined) throw new Error('no configuration');
  const options = { maxTxnOps: 1, quotaBytes: 0, memberId: 1n };
  const io = systemIo(systemClock);
  const state = createStateMachine(new MemoryStore(), options, io);
  const clock = new TestClock();
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown) => unhandled.push(error);
  process.on('unhandledRejection', onUnhandled);
  const full = new Error('ENOSPC: no space left');
  const files = { ...systemFiles, list: () => Promise.reject(full) };
  let handler: PeerHandler | undefined;
  const fatal = new Promise((resolve) => {
    new Peers({
      config,
      identity: { clusterId: 1n, memberId: 1n },
      state,
      clock,
      logger: silentLogger,
      disk: { ...systemDisk, files },
      network: {
        ...io.network,
        open: (peerOptions, given) => {
          handler = given;
          return io.network.open(peerOptions, given);
        },
      },
      group: () => {
        throw new Error('not asked for');
      },
      received: () => {},
      membersChanged: () => {},
      answer: () => Promise.reject(new Error('not asked')),
      propose: async () => {},
      onFatal: resolve,
      onRemoved: () => {},
    });
  });
  handler?.removed();
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(config.electionTimeoutMs);
  expect(await fatal).toBe(full);
  process.off('unhandledRejection', onUnhandled);
  expect(unhandled).toEqual([]);
});
