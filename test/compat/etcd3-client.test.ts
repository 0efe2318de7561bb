import { once } from 'node:events';
import { Etcd3, type IOptions, type Watcher } from 'etcd3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/cluster.ts';
import {
  CALL_TIMEOUT_MS,
  type Connect,
  defineElections,
  defineLocks,
  defineStm,
  NODES,
} from './support/etcd3-concurrency.ts';
import { etcdWanted, raftdeckWanted, type TargetName } from './support/targets.ts';
import { healthy, startThreeNodes, type ThreeNodes } from './support/three-nodes.ts';

/**
 * etcd's client for Node that is not ours, as its users use it. It knows nothing of the services
 * for locks and elections and follows their recipes itself.
 */
const TARGETS: [TargetName, boolean][] = [
  ['etcd', etcdWanted],
  ['raftdeck', raftdeckWanted],
];

// The two are waited for together; what is tested of each goes on one after the other.
describe.concurrent.each(TARGETS)('the npm package etcd3 on three nodes of %s', (name, wanted) => {
  if (!wanted) {
    it.skip(`SKIPPED: no ${name} here, or left out by COMPAT_TARGETS`);
    return;
  }
  let cluster: ThreeNodes;
  const clients: Etcd3[] = [];
  const connect: Connect = (node) => {
    const options: IOptions = {
      hosts: node === undefined ? cluster.hosts : [cluster.hosts[node] as string],
      defaultCallOptions: ({ isStream }) =>
        isStream ? {} : { deadline: Date.now() + CALL_TIMEOUT_MS },
    };
    const client = new Etcd3(options);
    clients.push(client);
    return client;
  };
  beforeAll(async () => {
    cluster = await startThreeNodes(name);
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(async () => {
    await cluster?.stop();
  });
  describe.sequential('kv', () => defineKv(connect));
  describe.sequential('leases', () => defineLeases(connect));
  describe.sequential('locks', () => defineLocks(connect));
  describe.sequential('elections', () => defineElections(connect, () => cluster));
  describe.sequential('stm', () => defineStm(connect));
  describe.sequential('watch', () => defineWatch(connect, () => cluster));
});

function defineKv(connect: Connect): void {
  it('puts, gets and deletes', async () => {
    const client = connect();
    await client.put('kv/text').value('text');
    await client.put('kv/number').value(42);
    await client.put('kv/json').value(JSON.stringify({ a: [1] }));
    await client.put('kv/bytes').value(Buffer.of(0, 255, 128));
    expect(await client.get('kv/text')).toBe('text');
    expect(await client.get('kv/number').number()).toBe(42);
    expect(await client.get('kv/json').json()).toEqual({ a: [1] });
    expect(await client.get('kv/bytes').buffer()).toEqual(Buffer.of(0, 255, 128));
    expect(await client.get('kv/none')).toBeNull();
    expect(await client.get('kv/none').exists()).toBe(false);
    const { value } = await client.put('kv/text').value('other').getPrevious();
    expect(value.toString()).toBe('text');
    await client.put('kv/text').touch();
    const { kvs } = await client.get('kv/text').exec();
    expect(kvs[0]).toMatchObject({ value: Buffer.from('other'), version: '3' });
    const [previous] = await client.delete().key('kv/text').getPrevious();
    expect(previous?.value.toString()).toBe('other');
    expect((await client.delete().key('kv/text').exec()).deleted).toBe('0');
  });

  it('reads ranges: prefix, order, limit, revision', async () => {
    const client = connect();
    for (const [key, value] of [
      ['c', '1'],
      ['a', '3'],
      ['b', '2'],
    ]) {
      await client.put(`ra/${key}`).value(value as string);
    }
    const all = () => client.getAll().prefix('ra/');
    expect(await all().strings()).toEqual({ 'ra/a': '3', 'ra/b': '2', 'ra/c': '1' });
    expect(await all().count()).toBe(3);
    expect(await all().sort('Value', 'Ascend').keys()).toEqual(['ra/c', 'ra/b', 'ra/a']);
    expect(await all().sort('Create', 'Descend').limit(2).keys()).toEqual(['ra/b', 'ra/a']);
    const inRange = client.getAll().inRange({ start: 'ra/a', end: 'ra/c' });
    expect(await inRange.keys()).toEqual(['ra/a', 'ra/b']);
    const { header } = await all().exec();
    await client.delete().prefix('ra/');
    expect(await all().count()).toBe(0);
    expect(await all().revision(header.revision).count()).toBe(3);
  });

  it('keeps namespaces apart', async () => {
    const client = connect();
    const one = client.namespace('ns/one/');
    const two = client.namespace('ns/two/');
    await Promise.all([one.put('key').value('1'), two.put('key').value('2')]);
    expect([await one.get('key'), await two.get('key')]).toEqual(['1', '2']);
    expect(await client.getAll().prefix('ns/').keys()).toEqual(['ns/one/key', 'ns/two/key']);
    expect(await one.getAll().strings()).toEqual({ key: '1' });
    await one.delete().all();
    expect(await client.getAll().prefix('ns/').keys()).toEqual(['ns/two/key']);
  });

  it('decides: if, then, else', async () => {
    const client = connect();
    const create = (value: string) =>
      client
        .if('if/key', 'Create', '==', 0)
        .then(client.put('if/key').value(value))
        .else(client.get('if/key'))
        .commit();
    expect(await create('first')).toMatchObject({ succeeded: true });
    const second = await create('second');
    expect(second.succeeded).toBe(false);
    expect(second.responses[0]?.response_range?.kvs[0]?.value.toString()).toBe('first');
    const both = await client
      .if('if/key', 'Value', '==', 'first')
      .and('if/key', 'Version', '<', 2)
      .then(client.delete().key('if/key'), client.put('if/other').value('1'))
      .commit();
    expect(both.succeeded).toBe(true);
    expect(await client.getAll().prefix('if/').strings()).toEqual({ 'if/other': '1' });
  });
}

function defineLeases(connect: Connect): void {
  it('are kept alive by the client, on every node', async () => {
    for (const node of NODES) {
      const client = connect(node);
      const lease = client.lease(1);
      await lease.put(`le/alive${node}`).value('x');
      const id = await lease.grant();
      const { grantedTTL } = await client.leaseClient.leaseTimeToLive({ ID: id });
      // Renewed for longer than it lives by itself.
      const startedMs = performance.now();
      while (performance.now() - startedMs < 1_500 * Number(grantedTTL)) {
        await once(lease, 'keepaliveSucceeded', { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
      }
      expect(await client.get(`le/alive${node}`)).toBe('x');
      expect(lease.revoked()).toBe(false);
      await lease.revoke();
      expect(await client.get(`le/alive${node}`)).toBeNull();
    }
  });

  it('take their keys with them when they expire or are revoked', async () => {
    const client = connect();
    const left = client.lease(1, { autoKeepAlive: false });
    await left.put('le/left').value('x');
    await until('the key expires', async () =>
      (await client.get('le/left').exists()) ? undefined : true,
    );
    const kept = client.lease(600);
    await kept.put('le/kept').value('x');
    const lost = once(kept, 'lost', { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
    const id = await kept.grant();
    await client.leaseClient.leaseRevoke({ ID: id });
    expect(await client.get('le/kept').exists()).toBe(false);
    await expect(kept.put('le/kept').value('y').exec()).rejects.toThrow(/lease not found/);
    await lost;
    expect(kept.revoked()).toBe(true);
    const { leases } = await client.leaseClient.leaseLeases();
    expect(leases.map(({ ID }) => ID)).not.toContain(id);
  });
}

/** "put key=value" and "delete key" of a watcher, in the order of their arrival. */
function eventsOf(watcher: Watcher): string[] {
  const events: string[] = [];
  watcher.on('put', ({ key, value }) => events.push(`put ${key}=${value}`));
  watcher.on('delete', ({ key }) => events.push(`delete ${key}`));
  return events;
}

function defineWatch(connect: Connect, cluster: () => ThreeNodes): void {
  it('sees what happens from its creation on, until it is cancelled', async () => {
    const client = connect(0);
    await client.put('wa/a').value('before');
    const watcher = await client.watch().prefix('wa/').withPreviousKV().create();
    const events = eventsOf(watcher);
    const previous: (string | undefined)[] = [];
    watcher.on('put', (_, before) => previous.push(before?.value.toString()));
    const writer = connect(1);
    await writer.put('wa/a').value('1');
    await writer.put('other').value('-');
    await writer.put('wa/b').value('2');
    await writer.delete().prefix('wa/');
    await until('four events', () => events.length >= 4 || undefined);
    await watcher.cancel();
    await writer.put('wa/a').value('after');
    // A watch begins where its node is, which may not have that put yet; after a linearizable read it has.
    expect(await client.get('wa/a')).toBe('after');
    const again = await client.watch().key('wa/a').create();
    const later = eventsOf(again);
    await writer.delete().key('wa/a');
    await until('the deletion', () => later.length > 0 || undefined);
    expect(events).toEqual(['put wa/a=1', 'put wa/b=2', 'delete wa/a', 'delete wa/b']);
    expect(previous).toEqual(['before', undefined]);
    expect(later).toEqual(['delete wa/a']);
    await again.cancel();
  });

  it('starts in the past where it is asked to, and filters', async () => {
    const client = connect();
    const { header } = await client.put('pa/a').value('1');
    await client.put('pa/a').value('2');
    await client.delete().key('pa/a');
    const watch = () => client.watch().key('pa/a').startRevision(header.revision);
    const all = watch().watcher();
    const deletes = watch().only('delete').watcher();
    const [allEvents, deleteEvents] = [eventsOf(all), eventsOf(deletes)];
    await until('all events', () => allEvents.length >= 3 || undefined);
    await until('the deletion', () => deleteEvents.length >= 1 || undefined);
    expect(allEvents).toEqual(['put pa/a=1', 'put pa/a=2', 'delete pa/a']);
    expect(deleteEvents).toEqual(['delete pa/a']);
    await Promise.all([all.cancel(), deletes.cancel()]);
  });

  it.each(NODES)('goes on after node %i, which serves it, was killed', async (node) => {
    const [watching, writer] = [connect(node), connect((node + 1) % NODES.length)];
    const key = `ki/${node}`;
    const watcher = await watching.watch().key(key).create();
    const events = eventsOf(watcher);
    let disconnects = 0;
    watcher.on('disconnected', () => disconnects++);
    const write = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i++) {
        await until(`put ${i}`, () =>
          writer
            .put(key)
            .value(i)
            .then(
              () => true,
              // The node may have led: an election takes its time. Puts of one value may double.
              () => undefined,
            ),
        );
      }
    };
    await write(0, 5);
    await until('the first events', () => events.length >= 5 || undefined);
    await cluster().kill(node);
    await write(5, 10);
    await healthy(cluster().hosts[node] as string);
    await write(10, 15);
    await until('the last event', () => events.at(-1) === `put ${key}=14` || undefined);
    const history = await historyOf(writer, key);
    expect(events).toEqual(history);
    expect(disconnects).toBeGreaterThan(0);
    await watcher.cancel();
  });
}

/** Every version of a key that was ever there, by a watch from its beginning. */
async function historyOf(client: Etcd3, key: string): Promise<string[]> {
  const { kvs } = await client.get(key).exec();
  const { version, create_revision } = kvs[0] as NonNullable<(typeof kvs)[0]>;
  const watcher = client.watch().key(key).startRevision(create_revision).watcher();
  const events = eventsOf(watcher);
  await until('the whole history', () => events.length >= Number(version) || undefined);
  await watcher.cancel();
  return events;
}
