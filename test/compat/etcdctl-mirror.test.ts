import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onPath, until } from '../support/cluster.ts';
import { EtcdctlSession } from './support/etcdctl.ts';
import { withClients } from './support/grpc.ts';
import { del, prefix, put } from './support/ops.ts';
import { etcdWanted, startTarget, type Target, type TargetName } from './support/targets.ts';

const PAIRS: [TargetName, TargetName][] = [
  ['raftdeck', 'raftdeck'],
  ['raftdeck', 'etcd'],
  ['etcd', 'raftdeck'],
];

/** More than etcdctl reads at once, which is a thousand. */
const KEYS = 1_200;
/** etcdctl puts one key after the other, each of which is synced. */
const COPY_MS = 100_000;

/** Keys and values of a prefix, without it. */
async function under(target: Target, at: string): Promise<Record<string, string>> {
  const { kvs } = await withClients(target, (clients) => clients.range(prefix(at)));
  return Object.fromEntries(
    kvs.map(({ key, value }) => [
      key.toString('latin1').slice(at.length),
      value.toString('latin1'),
    ]),
  );
}

async function countUnder(target: Target, at: string): Promise<number> {
  const range = { ...prefix(at), countOnly: true };
  return (await withClients(target, (clients) => clients.range(range))).count;
}

describe.runIf(onPath('etcdctl')).concurrent.each(PAIRS)(
  'etcdctl make-mirror from %s to %s',
  (from, to) => {
    const possible = etcdWanted || (from === 'raftdeck' && to === 'raftdeck');
    let source: Target;
    let copy: Target;
    beforeAll(async () => {
      if (!possible) return;
      source = await startTarget(from);
      copy = await startTarget(to);
    });
    afterAll(async () => {
      await source?.stop();
      await copy?.stop();
    });

    test.runIf(possible)(
      'what is there, what comes, what goes, and what one revision does',
      async () => {
        await withClients(source, async (clients) => {
          for (let i = 0; i < KEYS; i += 100) {
            const success = Array.from({ length: 100 }, (_, j) => put(`mi/${i + j}`, `v${i + j}`));
            await clients.txn({ success });
          }
          await clients.set('other/a', 'stays');
        });
        const args = ['make-mirror', '--prefix', 'mi/', '--dest-prefix', 'copy/', copy.address];
        const mirror = new EtcdctlSession(source, args);
        const same = async () => {
          // Counted first: to read all of it over and over takes the time that the copy needs.
          const [there, here] = [await countUnder(source, 'mi/'), await countUnder(copy, 'copy/')];
          if (there !== here) return undefined;
          const [theirs, ours] = [await under(source, 'mi/'), await under(copy, 'copy/')];
          return JSON.stringify(theirs) === JSON.stringify(ours) || undefined;
        };
        await until('the copy has all', same, COPY_MS);
        await withClients(source, async (clients) => {
          await clients.set('mi/new', 'new');
          // etcdctl copies a revision as one transaction, so there cannot be more than 128 of them.
          await clients.deleteRange({ key: Buffer.from('mi/11'), rangeEnd: Buffer.from('mi/12') });
          await clients.txn({
            success: [put('mi/2', 'changed'), del('mi/3'), put('mi/\xff\0', '\xfe')],
          });
        });
        await until('the copy follows', same);
        const copied = await under(copy, 'copy/');
        expect(Object.keys(copied)).toHaveLength(KEYS - 111 - 1 + 2);
        expect(copied).toMatchObject({ new: 'new', 2: 'changed', '\xff\0': '\xfe' });
        expect(await under(copy, 'other/')).toEqual({});
        await mirror.stop();
      },
    );
  },
);
