import {
  type handleBidiStreamingCall,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
} from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { prefixEnd } from '../base/bytes.ts';
import { Event } from '../proto/etcd/kv.ts';
import { type WatchRequest, WatchResponse, WatchService } from '../proto/etcd/rpc.ts';
import { EtcdConnection } from './connection.ts';
import { eventually, hasEtcd, TestEtcd } from './testing/etcd.ts';
import { type WatchReport, WatchSubscription } from './watch.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const prefix = Buffer.from('k/');

function watch(connection: EtcdConnection, options: { startRevision?: number } = {}) {
  const reports: WatchReport[] = [];
  const subscription = new WatchSubscription(
    connection,
    {
      key: prefix,
      rangeEnd: prefixEnd(prefix),
      startRevision: options.startRevision ?? 0,
      prevKv: true,
    },
    (report) => reports.push(report),
  );
  cleanups.push(() => subscription.dispose());
  return { reports, subscription };
}

function connect(endpoint: string): EtcdConnection {
  const connection = new EtcdConnection([endpoint]);
  cleanups.push(() => connection.dispose());
  return connection;
}

function eventsOf(reports: WatchReport[]): Event[] {
  return reports.flatMap((report) => (report.kind === 'events' ? report.events : []));
}

const kinds = (reports: WatchReport[]) => reports.map((report) => report.kind);
const opened = (reports: WatchReport[], times = 1) =>
  eventually(
    () => kinds(reports).filter((kind) => kind === 'opened').length >= times || undefined,
    `the watch is opened ${times} times`,
  );

describe.skipIf(!hasEtcd)('WatchSubscription with a real etcd', () => {
  it('goes on after a restart of the server without gap or duplicate', async () => {
    const etcd = await TestEtcd.start();
    cleanups.push(() => etcd.dispose());
    const connection = connect(etcd.clientUrl);
    const { reports } = watch(connection);
    await opened(reports);
    const put = (i: number) =>
      connection.put({ key: Buffer.from(`k/${i}`), value: Buffer.from(`${i}`) });
    for (let i = 0; i < 20; i++) await put(i);
    await eventually(() => eventsOf(reports).length >= 20 || undefined, '20 events came');
    await etcd.kill();
    await eventually(() => kinds(reports).includes('reconnecting') || undefined, 'it is noticed');
    await etcd.start();
    const writer = connect(etcd.clientUrl);
    for (let i = 20; i < 40; i++) {
      await writer.put({ key: Buffer.from(`k/${i}`), value: Buffer.from(`${i}`) });
    }
    await eventually(() => eventsOf(reports).length >= 40 || undefined, '40 events came');
    const values = eventsOf(reports).map((event) => event.kv?.value.toString());
    expect(values).toEqual(Array.from({ length: 40 }, (_, i) => `${i}`));
    const revisions = eventsOf(reports).map((event) => event.kv?.modRevision ?? 0);
    expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
    const broken = reports.find((report) => report.kind === 'reconnecting');
    expect(broken).toMatchObject({ nextRevision: (revisions[19] ?? 0) + 1 });
  });

  it('reports a compaction and goes on from there', async () => {
    const etcd = await TestEtcd.start();
    cleanups.push(() => etcd.dispose());
    const connection = connect(etcd.clientUrl);
    for (let i = 0; i < 10; i++) await connection.put({ key: Buffer.from('k/a') });
    await connection.compact({ revision: 8, physical: true });
    const { reports } = watch(connection, { startRevision: 2 });
    await opened(reports);
    await eventually(() => eventsOf(reports).length >= 4 || undefined, 'the rest came');
    expect(reports).toContainEqual({ kind: 'compacted', compactRevision: 8 });
    expect(eventsOf(reports).map((event) => event.kv?.modRevision)).toEqual([8, 9, 10, 11]);
  });

  it('holds events back while paused and loses none', async () => {
    const etcd = await TestEtcd.start();
    cleanups.push(() => etcd.dispose());
    const connection = connect(etcd.clientUrl);
    const { reports, subscription } = watch(connection);
    await opened(reports);
    subscription.pause();
    const value = Buffer.alloc(64 * 1024, 1);
    for (let i = 0; i < 300; i++) await connection.put({ key: Buffer.from(`k/${i}`), value });
    // What was in the hands of the stream may have come; the rest waits at the server.
    expect(eventsOf(reports).length).toBeLessThan(250);
    subscription.resume();
    await eventually(() => eventsOf(reports).length >= 300 || undefined, 'all came');
    const names = eventsOf(reports).map((event) => event.kv?.key.toString());
    expect(names).toEqual(Array.from({ length: 300 }, (_, i) => `k/${i}`));
  });

  it('keeps a large transaction whole and in order', async () => {
    const etcd = await TestEtcd.start();
    cleanups.push(() => etcd.dispose());
    const connection = connect(etcd.clientUrl);
    const { reports } = watch(connection, { startRevision: 1 });
    await opened(reports);
    const ops = Array.from({ length: 100 }, (_, i) => ({
      request: {
        $case: 'requestPut' as const,
        value: {
          key: Buffer.from(`k/${String(i).padStart(3, '0')}`),
          value: Buffer.alloc(10_000),
          lease: 0n,
          prevKv: false,
          ignoreValue: false,
          ignoreLease: false,
        },
      },
    }));
    await connection.txn({ success: ops });
    await eventually(() => eventsOf(reports).length >= 100 || undefined, 'all came');
    expect(new Set(eventsOf(reports).map((event) => event.kv?.modRevision)).size).toBe(1);
    expect(eventsOf(reports).length).toBe(100);
  });
});

type WatchCall = ServerDuplexStream<WatchRequest, WatchResponse>;

/** A watch server that plays one script per stream. */
async function scriptedServer(...scripts: ((call: WatchCall, request: WatchRequest) => void)[]) {
  const requests: WatchRequest[] = [];
  const server = new Server();
  const onWatch: handleBidiStreamingCall<WatchRequest, WatchResponse> = (call) => {
    call.on('error', () => {});
    call.on('data', (request: WatchRequest) => {
      requests.push(request);
      scripts[requests.length - 1]?.(call, request);
    });
  };
  server.addService(WatchService, { watch: onWatch });
  const port = await new Promise<number>((resolve) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) =>
      resolve(bound),
    );
  });
  cleanups.push(() => server.forceShutdown());
  return { endpoint: `127.0.0.1:${port}`, requests };
}

function response(part: Partial<WatchResponse>, revision: number): WatchResponse {
  const header = { clusterId: 1n, memberId: 1n, revision, raftTerm: 1 };
  return { ...WatchResponse.create(), header, ...part };
}

function event(name: string, modRevision: number): Event {
  const kv = {
    key: Buffer.from(name),
    value: Buffer.alloc(0),
    createRevision: modRevision,
    modRevision,
    version: 1,
    lease: 0n,
  };
  return { ...Event.create(), kv };
}

describe('WatchSubscription', () => {
  it('resumes within a revision that a broken stream had cut in two', async () => {
    const { endpoint, requests } = await scriptedServer(
      (call) => {
        call.write(response({ created: true }, 4));
        const events = [event('a', 5), event('b', 6)];
        call.write(response({ events, fragment: true }, 7));
        // The rest of revision 6 never comes.
        setImmediate(() => call.emit('error', Object.assign(new Error('gone'), { code: 14 })));
      },
      (call) => {
        call.write(response({ created: true }, 7));
        const events = [event('b', 6), event('c', 6), event('d', 7)];
        call.write(response({ events }, 7));
      },
    );
    const { reports } = watch(connect(endpoint));
    await eventually(() => eventsOf(reports).length >= 4 || undefined, 'all came');
    expect(eventsOf(reports).map((e) => e.kv?.key.toString())).toEqual(['a', 'b', 'c', 'd']);
    const again = requests[1]?.requestUnion;
    expect(again?.$case === 'createRequest' && again.value.startRevision).toBe(6);
  });

  it('resumes after the last progress notice', async () => {
    const { endpoint, requests } = await scriptedServer(
      (call) => {
        call.write(response({ created: true }, 4));
        call.write(response({}, 90));
        setImmediate(() => call.emit('error', Object.assign(new Error('gone'), { code: 14 })));
      },
      (call) => call.write(response({ created: true }, 95)),
    );
    const { reports } = watch(connect(endpoint));
    await opened(reports, 2);
    const again = requests[1]?.requestUnion;
    expect(again?.$case === 'createRequest' && again.value.startRevision).toBe(91);
  });

  it('ends with the reason when the server cancels for good', async () => {
    const { endpoint, requests } = await scriptedServer((call) => {
      const cancelReason = 'rpc error: permission denied';
      call.write(response({ created: true, canceled: true, cancelReason }, 4));
    });
    const { reports } = watch(connect(endpoint));
    await eventually(() => kinds(reports).includes('failed') || undefined, 'it failed');
    expect(reports).toEqual([{ kind: 'failed', error: 'rpc error: permission denied' }]);
    expect(requests).toHaveLength(1);
  });

  it('keeps trying while nobody answers', async () => {
    const { reports } = watch(connect('127.0.0.1:1'));
    await eventually(
      () => kinds(reports).filter((kind) => kind === 'reconnecting').length >= 2 || undefined,
      'it tried twice',
    );
    expect(kinds(reports)).not.toContain('failed');
  });

  it('is quiet after its end', async () => {
    const { endpoint } = await scriptedServer((call) => call.write(response({ created: true }, 4)));
    const { reports, subscription } = watch(connect(endpoint));
    await opened(reports);
    subscription.dispose();
    subscription.dispose();
    await new Promise((resolve) => setImmediate(resolve));
    expect(kinds(reports)).toEqual(['opened']);
  });
});
