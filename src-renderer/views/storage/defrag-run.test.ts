import { expect, test } from 'vitest';
import type { NodeRole, StorageMember } from '../../../src-main/contract/views.ts';
import { DefragRun } from './defrag-run.svelte.ts';

function member(name: string, role: NodeRole = 'follower'): StorageMember {
  return { name, memberId: `id-${name}`, role, dbSizeBytes: 100, dbSizeInUseBytes: 40 };
}

const members = [member('n1', 'leader'), member('n3'), member('n2')];
const states = (run: DefragRun) => run.items.map((item) => `${item.name} ${item.state}`);

test('takes the leader last and one member at a time', async () => {
  const calls: string[] = [];
  let open = 0;
  const done: string[] = [];
  const run = new DefragRun(members, async (node) => {
    calls.push(node);
    expect(++open).toBe(1);
    await Promise.resolve();
    open--;
    return { beforeBytes: 100, afterBytes: 40 };
  });
  await run.start((id) => done.push(id));
  expect(calls).toEqual(['n2', 'n3', 'n1']);
  expect(done).toEqual(['id-n2', 'id-n3', 'id-n1']);
  expect(run.freedBytes).toBe(180);
  expect([run.running, run.finished]).toEqual([false, true]);
});

test('stops at a failure and takes it up again', async () => {
  let broken = true;
  const run = new DefragRun(members, async (node) => {
    if (node === 'n3' && broken) throw new Error('deadline exceeded');
    return { beforeBytes: 100, afterBytes: 40 };
  });
  await run.start(() => {});
  expect(states(run)).toEqual(['n2 done', 'n3 failed', 'n1 skipped']);
  expect(run.failed?.error).toBe('deadline exceeded');
  broken = false;
  await run.start(() => {});
  expect(states(run)).toEqual(['n2 done', 'n3 done', 'n1 done']);
});

test('a stop lets the running member finish and leaves the others', async () => {
  const run: DefragRun = new DefragRun(members, async () => {
    run.stop();
    return { beforeBytes: 100, afterBytes: 40 };
  });
  await run.start(() => {});
  expect(states(run)).toEqual(['n2 done', 'n3 skipped', 'n1 skipped']);
});
