import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AlarmRequest_AlarmAction as Action,
  AlarmType,
  type Member,
} from '../../proto/etcd/rpc.ts';
import type { ConfState } from '../../proto/raftdeck/raft.ts';
import { quotaExceeded } from '../alarm/quota.ts';
import {
  deleteOp,
  Machine,
  putOp,
  putRequest,
  rangeOp,
  text,
  txnOp,
  txnRequest,
} from './testing/machine.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { STORE_KINDS, type StoreHome } from './testing/stores.ts';
import { watch } from './testing/watchers.ts';

let home: StoreHome | undefined;
afterEach(async () => {
  await home?.dispose();
  home = undefined;
});

const confState = (voters: bigint[], learners: bigint[] = []): ConfState => ({
  voters,
  learners,
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
});
const member = (ID: bigint, name = `m${ID}`): Member => ({
  ID,
  name,
  peerURLs: [`http://127.0.0.1:${ID}`],
  clientURLs: [],
  isLearner: false,
});

for (const kind of STORE_KINDS) {
  describe(`the state machine over ${kind.name}`, () => {
    let machine: Machine;
    const reopen = async () => {
      machine = new Machine((await home?.reopen()) as Machine['store']);
    };
    beforeEach(async () => {
      home = await kind.home();
      machine = new Machine(await home.open());
    });

    describe('leases', () => {
      it('are granted once, with a TTL that is not too long', () => {
        expect(machine.grant(5n, 30)).toMatchObject({ ID: 5n, TTL: 30, error: '' });
        expect(machine.refused('leaseGrant', { ID: 5n, TTL: 9 })).toBe('LeaseExist');
        expect(machine.refused('leaseGrant', { ID: 6n, TTL: 9_000_000_001 })).toBe(
          'LeaseTtlTooLarge',
        );
        machine.grant(7n, 9_000_000_000);
        expect(machine.refused('leaseGrant', { ID: 0n, TTL: 9 })).toBe('LeaseNotFound');
        expect(machine.state.leases().map(({ id }) => id)).toEqual([5n, 7n]);
        expect(machine.state.revision).toBe(1);
      });

      it('follow their keys', async () => {
        machine.grant(5n);
        machine.grant(-6n);
        const keys = (id: bigint) => machine.state.leaseKeys(id).map(text);
        for (const key of ['b', 'a', 'c']) machine.put(key, '', { lease: 5n });
        expect(keys(5n)).toEqual(['a', 'b', 'c']);
        machine.put('a', '', { lease: -6n });
        machine.put('b');
        expect(keys(5n)).toEqual(['c']);
        expect(keys(-6n)).toEqual(['a']);
        machine.delete('c');
        expect(keys(5n)).toEqual([]);
        await reopen();
        expect(keys(-6n)).toEqual(['a']);
        expect(machine.range('a').kvs[0]?.lease).toBe(-6n);
      });

      it('a revocation deletes the keys in order and in one revision', () => {
        machine.grant(5n);
        for (const key of ['b', 'a', 'b\0']) machine.put(key, 'v', { lease: 5n });
        machine.put('c');
        const { sink } = watch(machine.state, { key: '\0', end: '\0' });
        expect(machine.do('leaseRevoke', { ID: 5n }).revision).toBe(6);
        expect(sink.shown).toEqual(['6 del a', '6 del b', '6 del b\0']);
        expect(sink.batches).toHaveLength(1);
        expect(machine.refused('leaseRevoke', { ID: 5n })).toBe('LeaseNotFound');
        machine.grant(5n);
        expect(machine.do('leaseRevoke', { ID: 5n }).revision).toBe(6);
      });

      it('tell the expiry clock what happened, after it is committed', async () => {
        const heard: unknown[] = [];
        machine.state.onLeaseEvents({
          granted: (lease) => heard.push(['granted', lease, machine.state.lease(lease.id)]),
          revoked: (id) => heard.push(['revoked', id, machine.state.lease(id)]),
          checkpointed: (lease) => heard.push(['checkpointed', lease.remainingTtl]),
        });
        machine.grant(5n, 600);
        const lease = { id: 5n, ttl: 600, remainingTtl: 0 };
        const checkpoints = [9n, 5n].map((ID) => ({ ID, remainingTTL: 250 }));
        machine.do('leaseCheckpoint', { checkpoints });
        machine.refused('leaseGrant', { ID: 5n, TTL: 1 });
        expect(heard).toEqual([
          ['granted', lease, lease],
          ['checkpointed', 250],
        ]);
        const store = machine.store;
        await reopen();
        expect(machine.store).not.toBe(store);
        expect(machine.state.leases()).toEqual([{ ...lease, remainingTtl: 250 }]);
      });
    });

    describe('alarms', () => {
      it('are raised per member, and disarmed', async () => {
        const nospace = { memberID: 7n, alarm: AlarmType.NOSPACE };
        expect(machine.alarm(Action.ACTIVATE, AlarmType.NOSPACE).alarms).toEqual([nospace]);
        expect(machine.alarm(Action.ACTIVATE, AlarmType.NOSPACE).alarms).toEqual([nospace]);
        expect(machine.alarm(Action.ACTIVATE, AlarmType.NONE).alarms).toEqual([]);
        await reopen();
        expect(machine.state.alarms()).toEqual([nospace]);
        machine.alarm(Action.ACTIVATE, AlarmType.NOSPACE, 8n);
        expect(machine.alarm(Action.GET, AlarmType.NONE).alarms).toHaveLength(2);
        expect(machine.alarm(Action.GET, AlarmType.CORRUPT).alarms).toEqual([]);
        expect(machine.alarm(Action.DEACTIVATE, AlarmType.NOSPACE).alarms).toEqual([nospace]);
        expect(machine.alarm(Action.DEACTIVATE, AlarmType.NOSPACE).alarms).toEqual([]);
        expect(machine.refused('put', putRequest({ key: 'a' }))).toBe('NoSpace');
        machine.alarm(Action.DEACTIVATE, AlarmType.NOSPACE, 8n);
        machine.put('a');
      });

      it('without space what grows is refused, and what frees is not', () => {
        machine.grant(5n);
        machine.put('a', '', { lease: 5n });
        machine.put('b');
        machine.alarm(Action.ACTIVATE, AlarmType.NOSPACE);
        expect(machine.refused('put', putRequest({ key: 'a' }))).toBe('NoSpace');
        expect(machine.refused('leaseGrant', { ID: 6n, TTL: 9 })).toBe('NoSpace');
        for (const request of [
          { success: [putOp({ key: 'x' })] },
          { failure: [putOp({ key: 'x' })] },
          { success: [txnOp({ failure: [putOp({ key: 'x' })] })] },
        ]) {
          expect(machine.refused('txn', txnRequest(request))).toBe('NoSpace');
        }
        machine.txn({ success: [rangeOp({ key: 'a' }), deleteOp({ key: 'b' })] });
        machine.do('leaseRevoke', { ID: 5n });
        machine.compact(machine.state.revision);
        machine.delete('a');
        expect(machine.range('\0', '\0').count).toBe(0);
      });

      it('a corrupt member stops everything but the disarming', () => {
        machine.put('a');
        machine.alarm(Action.ACTIVATE, AlarmType.CORRUPT);
        expect(machine.refused('put', putRequest({ key: 'a' }))).toBe('Corrupt');
        expect(machine.refused('compaction', { revision: 2, physical: false })).toBe('Corrupt');
        expect(machine.range('a').count).toBe(1);
        machine.alarm(Action.DEACTIVATE, AlarmType.CORRUPT);
        machine.put('a');
      });
    });

    describe('members', () => {
      it('are bootstrapped, publish themselves, and are listed by id', async () => {
        machine.state.bootstrap(confState([1n, 2n]), [member(2n), member(1n)], 0, 0);
        expect(() => machine.put('a')).not.toThrow();
        machine.do('publish', { memberId: 2n, name: 'two', clientUrls: ['http://c:2'] });
        machine.do('publish', { memberId: 9n, name: 'stranger', clientUrls: [] });
        await reopen();
        expect(machine.state.members()).toEqual([
          member(1n),
          { ...member(2n, 'two'), clientURLs: ['http://c:2'] },
        ]);
        expect(machine.state.confState).toEqual(confState([1n, 2n]));
        expect(() => machine.state.bootstrap(confState([1n]), [member(1n)], 1, 1)).toThrow(
          /bootstrap/,
        );
      });

      it('follow the configuration', async () => {
        machine.state.bootstrap(confState([1n, 2n]), [member(1n), member(2n)], 0, 0);
        const change = (conf: ConfState, changed?: Member) => {
          const index = machine.state.appliedIndex + 1;
          machine.state.applyConfChange(index, 1, conf, changed);
        };
        change(confState([1n, 2n], [3n]), member(3n, ''));
        expect(machine.state.members()[2]).toMatchObject({ ID: 3n, isLearner: true });
        machine.do('publish', { memberId: 3n, name: 'three', clientUrls: ['http://c:3'] });
        change(confState([1n, 2n, 3n]));
        expect(machine.state.members()[2]).toMatchObject({ name: 'three', isLearner: false });
        change(confState([1n, 2n, 3n]), { ...member(3n, ''), peerURLs: ['http://moved'] });
        expect(machine.state.members()[2]).toMatchObject({
          name: 'three',
          peerURLs: ['http://moved'],
          clientURLs: ['http://c:3'],
        });
        change(confState([1n, 3n]), member(2n));
        await reopen();
        expect(machine.state.members().map(({ ID }) => ID)).toEqual([1n, 3n]);
        expect(machine.state.confState?.voters).toEqual([1n, 3n]);
        // What was given out is a copy.
        machine.state.members()[0]?.peerURLs.push('http://evil');
        expect(machine.state.members()[0]?.peerURLs).toHaveLength(1);
      });
    });

    describe('entries', () => {
      it('are applied once, in order, and are remembered', async () => {
        machine.put('a');
        machine.refused('put', putRequest({ key: 'b', lease: 3n }));
        machine.state.applyEmpty(7, 4);
        expect(() => machine.state.applyEmpty(7, 4)).toThrow(/applied already/);
        expect(() => machine.state.applyEmpty(8, 3)).toThrow(/term 3 after 4/);
        await reopen();
        expect(machine.state).toMatchObject({ appliedIndex: 7, appliedTerm: 4, revision: 2 });
        expect(machine.range('\0', '\0', { countOnly: true }).count).toBe(1);
      });

      it('of a kind that only newer members know are refused', () => {
        const result = machine.state.apply(1, 1, { id: 0n, request: undefined });
        expect(result).toMatchObject({ ok: false, code: 'NotImplemented' });
        expect(machine.state.appliedIndex).toBe(1);
      });

      it('keep the cluster version', async () => {
        expect(machine.state.clusterVersion()).toBeUndefined();
        machine.do('clusterVersion', { version: '3.5.0' });
        await reopen();
        expect(machine.state.clusterVersion()).toBe('3.5.0');
      });
    });
  });
}

describe('a batch', () => {
  it('costs one row of meta, and readers see its entries at once', () => {
    const store = new MemoryStore();
    const machine = new Machine(store);
    machine.state.beginBatch();
    for (const key of 'abc') machine.put(key);
    expect(store.rowCount('meta')).toBe(0);
    expect(store.batches).toBe(0);
    expect(machine.range('\0', '\0').count).toBe(3);
    expect(() => machine.state.beginBatch()).toThrow(/open already/);
    machine.state.endBatch();
    expect(store.batches).toBe(1);
    const reopened = new Machine(store.reopened());
    expect(reopened.state).toMatchObject({ appliedIndex: 3, revision: 4 });
    expect(() => machine.state.endBatch()).toThrow(/no batch/);
  });

  it('without one, each entry ends a batch of its own', () => {
    const store = new MemoryStore();
    const machine = new Machine(store);
    machine.put('a');
    machine.put('b');
    expect(store.batches).toBe(2);
  });
});

it('a state of another format is refused', () => {
  const store = new MemoryStore();
  new Machine(store).put('a');
  const row = Buffer.from(store.get('meta', Buffer.from('applied')) as Buffer);
  row[0] = 2;
  store.put('meta', Buffer.from('applied'), row);
  expect(() => new Machine(store)).toThrow(/format 2/);
});

describe('quota', () => {
  const store = new MemoryStore();
  it.each([
    [1_000, 899, 100, false],
    [1_000, 900, 100, true],
    [0, 2 ** 31 - 1, 0, false],
    [0, 2 ** 31, 0, true],
    [-1, 2 ** 40, 100, false],
  ])('of %d with %d in use and %d more: %s', (quotaBytes, inUse, extra, exceeded) => {
    store.fileBytes = inUse;
    expect(quotaExceeded(store, { quotaBytes }, extra)).toBe(exceeded);
  });
});
