import { status } from '@grpc/grpc-js';
import { expect } from 'vitest';
import { Event_EventType } from '../../src-main/proto/etcd/kv.ts';
import { compatSuite } from './support/compat.ts';
import { failure, type GrpcClients, outcome, WatchCall, withClients } from './support/grpc.ts';
import { bytes, type DefineCase, get, grpcCases, prefix, put } from './support/ops.ts';

// A suite of its own: what was never compacted is so only once.
compatSuite('the first compaction', [], (compat) => {
  grpcCases(compat)('of nothing: 0 is taken once, a negative one never', async (clients) => {
    const at = (revision: number) =>
      clients.txn({ success: [get('no/a', '', { revision }), put('no/b')] });
    await clients.set('no/a', '1');
    const answers: unknown[] = [];
    answers.push(await failure(clients.compact(-1)));
    answers.push(await failure(at(-2)));
    answers.push(await at(-1));
    answers.push(await clients.compact(0));
    answers.push(await failure(clients.compact(0)));
    answers.push(await failure(clients.compact(0, true)));
    answers.push(await failure(at(-1)));
    answers.push(await clients.range({ key: bytes('no/a'), revision: 1 }));
    answers.push(await clients.range({ key: bytes('no/a'), revision: -3 }));
    answers.push(await clients.compact(1, true));
    answers.push(await clients.range({ key: bytes('no/a'), revision: 1 }));
    return answers;
  });
});

compatSuite('compaction over gRPC', [], (compat) => {
  defineAnswers(grpcCases(compat));
  defineReads(grpcCases(compat));
  compat('a tombstone at the compact revision stays for those who watch from there', (target) =>
    withClients(target, async (clients) => {
      await clients.set('to/a', '1');
      const { header } = await clients.deleteRange({ key: bytes('to/a') });
      const revision = header?.revision as number;
      await clients.compact(revision, true);
      const events = await eventsFrom(clients, 'to/', revision);
      const at = await clients.range({ key: bytes('to/a'), revision });
      // etcd has kept it since 3.5.16; the one that is compared with here is older.
      if (target.name === 'raftdeck') {
        expect(events).toMatchObject([
          { type: Event_EventType.DELETE, kv: { modRevision: revision } },
          { type: Event_EventType.PUT },
        ]);
        await clients.compact(revision + 1, true);
        expect(await eventsFrom(clients, 'to/', revision + 1)).toHaveLength(2);
      }
      return [at.count, at.kvs];
    }),
  );
});

/** What a watcher of the prefix that starts there gets, up to a put that is made for it. */
async function eventsFrom(clients: GrpcClients, at: string, startRevision: number) {
  const watch = new WatchCall(clients);
  const value = { ...prefix(at), startRevision };
  watch.send({ requestUnion: { $case: 'createRequest', value } });
  await watch.responses(1);
  await clients.set(`${at}last`, 'last');
  const isLast = () => watch.received.flatMap(({ events }) => events).at(-1)?.kv?.key;
  for (let count = 1; isLast()?.toString() !== `${at}last`; count++) await watch.events(count);
  watch.close();
  return watch.received.flatMap(({ events }) => events);
}

const COMPACTED = {
  code: status.OUT_OF_RANGE,
  message: 'etcdserver: mvcc: required revision has been compacted',
};
const FUTURE = {
  code: status.OUT_OF_RANGE,
  message: 'etcdserver: mvcc: required revision is a future revision',
};

function defineAnswers(compat: DefineCase): void {
  compat('taken, taken again, older, future, 0 and negative', async (clients) => {
    for (const value of ['1', '2', '3', '4', '5']) await clients.set('an/a', value);
    const now = await clients.revision();
    const answers: unknown[] = [];
    for (const physical of [false, true]) {
      const at = now - (physical ? 1 : 3);
      answers.push(await clients.compact(at, physical));
      for (const revision of [at, at - 1, 1, 0, -1, now + 1, now + 1_000_000]) {
        answers.push(await failure(clients.compact(revision, physical)));
      }
    }
    answers.push(await clients.compact(now, true));
    answers.push(await failure(clients.compact(now)));
    answers.push(await clients.range({ key: bytes('an/a') }));
    return answers;
  });

  compat('a revision that is all deleted does not go back', async (clients) => {
    await clients.set('al/a', '1');
    await clients.deleteRange({ key: bytes('\0'), rangeEnd: bytes('\0') });
    const now = await clients.revision();
    await clients.compact(now, true);
    const answers = [await clients.range({ key: bytes('\0'), rangeEnd: bytes('\0') })];
    expect(answers[0]?.header?.revision).toBe(now);
    await clients.set('al/b', '1');
    answers.push(await clients.range({ key: bytes('al/b') }));
    return answers;
  });
}

function defineReads(compat: DefineCase): void {
  compat('reads around the compact revision, alone and in transactions', async (clients) => {
    for (const key of ['b', 'a', 'c', 'a']) await clients.set(`re/${key}`, key);
    await clients.deleteRange({ key: bytes('re/b') });
    await clients.set('re/d', 'd');
    const now = await clients.revision();
    const compacted = now - 2;
    await clients.compact(compacted, true);
    const answers: unknown[] = [];
    for (const revision of [compacted - 1, compacted, compacted + 1, now, now + 100]) {
      for (const request of [
        () => clients.range({ ...prefix('re/'), revision }),
        () => clients.range({ ...prefix('re/'), revision, serializable: true, countOnly: true }),
        () => clients.range({ key: bytes('re/b'), revision, keysOnly: true }),
        () => clients.txn({ success: [get('re/a', '', { revision })] }),
        () => clients.txn({ success: [put('re/x', 'x'), get('re/a', '', { revision })] }),
        () => clients.txn({ success: [get('re/', 're0', { revision }), put('re/y', 'y')] }),
      ]) {
        answers.push(await outcome(request()));
      }
    }
    expect(answers.slice(0, 6)).toEqual(Array(6).fill(COMPACTED));
    expect(answers.slice(-6)).toEqual(Array(6).fill(FUTURE));
    answers.push(await clients.range({ ...prefix('re/') }));
    return answers;
  });

  compat('what is overwritten goes, what is newest stays, whatever its age', async (clients) => {
    await clients.set('ol/kept', 'old');
    for (const value of ['1', '2', '3']) await clients.set('ol/a', value);
    const now = await clients.revision();
    await clients.compact(now, true);
    return [
      await clients.range({ ...prefix('ol/'), revision: now }),
      await eventsFrom(clients, 'ol/', now),
      await failure(clients.range({ key: bytes('ol/kept'), revision: now - 1 })),
    ];
  });

  compat('the value before an event is missing once it is compacted', async (clients) => {
    for (const value of ['1', '2', '3']) await clients.set('pv/a', value);
    const now = await clients.revision();
    await clients.compact(now - 1, true);
    const watch = new WatchCall(clients);
    const value = { ...prefix('pv/'), startRevision: now - 1, prevKv: true };
    watch.send({ requestUnion: { $case: 'createRequest', value } });
    const events = await watch.events(2);
    watch.close();
    expect(events.map(({ prevKv }) => prevKv?.value.toString())).toEqual([undefined, '2']);
    return events;
  });
}
