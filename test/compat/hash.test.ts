import { afterEach, expect, test } from 'vitest';
import { HashRequest, RequestOp } from '../../src-main/proto/etcd/rpc.ts';
import { freeBasePort, removeDir, tempDir, type Up, until, up } from '../support/cluster.ts';
import { compatSuite } from './support/compat.ts';
import { call, failure, GrpcClients, withClients } from './support/grpc.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const put = (key: string, value: string): RequestOp =>
  RequestOp.fromPartial({
    request: { $case: 'requestPut', value: { key: bytes(key), value: bytes(value) } },
  });
const remove = (key: string, end = ''): RequestOp =>
  RequestOp.fromPartial({
    request: { $case: 'requestDeleteRange', value: { key: bytes(key), rangeEnd: bytes(end) } },
  });

/** The sums at the current revision and at each one since the compaction. */
async function sums(clients: GrpcClients): Promise<unknown[]> {
  const { header, hash, compactRevision } = await clients.hashKv();
  const revision = header?.revision ?? 0;
  const answers: unknown[] = [{ revision, hash, compactRevision }];
  // The compact revision itself etcd 3.4 refuses, and later ones do not.
  for (let at = Math.max(compactRevision + 1, 1); at <= revision; at++) {
    const past = await clients.hashKv(at);
    answers.push({ at, hash: past.hash, of: past.header?.revision });
  }
  return answers;
}

// Both members start empty and see the same requests: the sums themselves are compared.
compatSuite('HashKV', [], (compat) => {
  compat('of an empty store, and of what is not there yet', (target) =>
    withClients(target, async (clients) => [
      await sums(clients),
      await failure(clients.hashKv(99)),
      (await clients.hashKv(-7)).hash,
    ]),
  );

  compat('of puts, deletions, transactions and leases', (target) =>
    withClients(target, async (clients) => {
      await clients.grant(0x1234n, 600);
      await clients.set('a', '1');
      await clients.set('a', '2');
      await clients.put({ key: bytes('leased'), value: bytes('x'), lease: 0x1234n });
      await clients.put({ key: bytes('\0\xff'), value: bytes('\0') });
      await clients.set('empty', '');
      await clients.txn({ success: [put('b', '1'), remove('a'), put('c', '1')] });
      await clients.deleteRange({ key: bytes('b'), rangeEnd: bytes('d') });
      await clients.set('big', 'v'.repeat(100_000));
      await clients.set('a', '3');
      return sums(clients);
    }),
  );

  compat('after compactions', (target) =>
    withClients(target, async (clients) => {
      const answers: unknown[] = [];
      for (let i = 0; i < 5; i++) {
        await clients.set('a', `round ${i}`);
        await clients.set(`once ${i}`, 'kept');
        await clients.txn({ success: [put('b', `${i}`), remove(`once ${i - 2}`)] });
        await clients.deleteRange({ key: bytes('b') });
        await clients.compact((await clients.revision()) - (i % 3), true);
        answers.push(await sums(clients));
        answers.push(await failure(clients.hashKv(2)));
      }
      return answers;
    }),
  );

  compat('after everything was deleted', (target) =>
    withClients(target, async (clients) => {
      await clients.deleteRange({ key: bytes('\0'), rangeEnd: bytes('\0') });
      const deleted = await sums(clients);
      await clients.set('new', '1');
      await clients.compact((await clients.revision()) - 1, true);
      const compacted = await sums(clients);
      await clients.revoke(0x1234n);
      return [deleted, compacted, await sums(clients)];
    }),
  );

  compat('Hash answers a sum of its own', (target) =>
    withClients(target, async (clients) => {
      const ask = () =>
        call<{ hash: number }>((...rest) =>
          clients.maintenance.hash(HashRequest.create(), ...rest),
        );
      const { hash } = await ask();
      expect((await ask()).hash).toBe(hash);
      await clients.set('new', '2');
      expect((await ask()).hash).not.toBe(hash);
    }),
  );
});

let cluster: Up | undefined;
const open: GrpcClients[] = [];
afterEach(async () => {
  for (const clients of open.splice(0)) clients.close();
  await cluster?.stop();
  cluster = undefined;
});

test('three members of ours have the same sums, before and after a compaction', async () => {
  const dir = tempDir();
  cluster = await up(dir, ['--nodes', '3', '--base-port', String(await freeBasePort(6))]);
  const members = cluster.endpoints.map((url) => {
    const address = url.replace(/^http:\/\//, '');
    const clients = new GrpcClients({ address });
    open.push(clients);
    return clients;
  });
  const [first, second] = members as [GrpcClients, GrpcClients];
  // A quorum is enough for a leader, so one may still be starting.
  for (const member of members) {
    await until('every member serves', () => member.hashKv().catch(() => undefined));
  }
  for (let i = 0; i < 40; i++) {
    const ops = Array.from({ length: 100 }, (_, k) => put(`key ${(i * 37 + k) % 900}`, `${i}`));
    await (i % 2 === 0 ? first : second).txn({ success: ops });
  }
  const revision = await first.revision();
  await second.deleteRange({ key: bytes('key 1'), rangeEnd: bytes('key 2') });
  await first.compact(revision - 10);
  const head = await first.revision();
  for (const at of [head, revision, revision - 5]) {
    const answers = await Promise.all(
      members.map((member) =>
        until(`revision ${at}`, async () => {
          const { hash, compactRevision } = await member.hashKv(at).catch(() => ({
            ...{ hash: 0, compactRevision: 0 },
          }));
          // A member that lags has not heard of the compaction yet.
          return compactRevision === revision - 10 ? hash : undefined;
        }),
      ),
    );
    expect(new Set(answers).size, `${answers} at ${at}`).toBe(1);
  }
  const other = (await first.hashKv(revision - 5)).hash;
  expect(other).not.toBe((await first.hashKv(revision)).hash);
  removeDir(dir);
});
