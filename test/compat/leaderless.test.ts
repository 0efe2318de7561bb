import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import type { LeaseKeepAliveResponse } from '../../src-main/proto/etcd/rpc.ts';
import { until } from '../support/cluster.ts';
import { failure, type GrpcClients, type GrpcFailure, WatchCall } from './support/grpc.ts';
import { bytes } from './support/ops.ts';
import { etcdWanted, raftdeckWanted, type TargetName } from './support/targets.ts';
import { Trio } from './support/trio.ts';

const NO_LEADER: GrpcFailure = { code: status.UNAVAILABLE, message: 'etcdserver: no leader' };
const TIMED_OUT: GrpcFailure = {
  code: status.UNAVAILABLE,
  message: 'etcdserver: request timed out',
};
const REQUIRE_LEADER = { hasleader: 'true' };
const FLAGS = ['--heartbeat-interval', '100', '--election-timeout', '500'];

/** One KeepAlive stream, and the status that it ends with. */
class KeepAlive {
  readonly answers: LeaseKeepAliveResponse[] = [];
  readonly ended: Promise<GrpcFailure>;
  readonly send: (ID: bigint) => void;
  readonly close: () => void;

  constructor(clients: GrpcClients, required: boolean) {
    const metadata = new Metadata();
    if (required) metadata.set('hasleader', 'true');
    const stream = clients.lease.leaseKeepAlive(metadata);
    stream.on('data', (answer: LeaseKeepAliveResponse) => this.answers.push(answer));
    stream.on('error', () => {});
    this.ended = new Promise((resolve) =>
      stream.on('status', ({ code, details }) => resolve({ code, message: details })),
    );
    this.send = (ID) => void stream.write({ ID });
    this.close = () => stream.cancel();
  }
}

/** The status that a put with that metadata fails with. */
function putFailure(clients: GrpcClients, metadata: Record<string, string>): Promise<GrpcFailure> {
  const sent = new Metadata();
  for (const [name, value] of Object.entries(metadata)) sent.set(name, value);
  const request = {
    key: bytes('nl/put'),
    value: bytes(''),
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  };
  return failure(
    new Promise<void>((resolve, reject) => {
      const done = (error: ServiceError | null) => (error ? reject(error) : resolve());
      clients.kv.put(request, sent, { deadline: Date.now() + 15_000 }, done);
    }),
  );
}

/** What the clients of a member see that is alone after the two others were killed. */
async function withoutQuorum(kind: TargetName): Promise<unknown> {
  const trio = await Trio.start(kind, { flags: FLAGS });
  try {
    const [alone, ...others] = trio.members as [Trio['members'][0], ...Trio['members']];
    const { clients } = alone;
    await clients.set('nl/a', '1');
    const bound = new WatchCall(clients, REQUIRE_LEADER);
    const free = new WatchCall(clients);
    const other = new WatchCall(clients, { hasleader: 'no' });
    for (const watch of [bound, free, other]) watch.create({ key: bytes('nl/a') });
    for (const watch of [bound, free, other]) await watch.responses(1);
    const keepAlive = new KeepAlive(clients, true);
    await clients.grant(7301n, 600);
    keepAlive.send(7301n);
    await until('a renewal', () => keepAlive.answers.length === 1);

    for (const member of others) await member.kill();
    const ended = [await bound.ended, await keepAlive.ended];
    expect(ended).toEqual([NO_LEADER, NO_LEADER]);
    const late = new WatchCall(clients, REQUIRE_LEADER);
    late.create({ key: bytes('nl/a') });
    const answers = [
      await late.ended,
      await putFailure(clients, REQUIRE_LEADER),
      // Reads of its own state go on, and so do streams that want no leader.
      (await clients.range({ key: bytes('nl/a'), serializable: true })).count,
    ];
    expect(answers.slice(0, 2)).toEqual([NO_LEADER, NO_LEADER]);
    // What etcd says of a put that found no leader in time changed from version to version.
    const timedOut = await putFailure(clients, {});
    if (kind === 'raftdeck') expect(timedOut).toEqual(TIMED_OUT);

    for (const member of others) member.restart();
    await until('a put again', () =>
      clients.set('nl/a', '2').then(
        () => true,
        () => undefined,
      ),
    );
    const events = [await free.events(1), await other.events(1)];
    free.close();
    other.close();
    return [ended, answers, events.map(([event]) => `${event?.kv?.value}`)];
  } finally {
    await trio.stop();
  }
}

test.runIf(raftdeckWanted)(
  'streams that require a leader end when the member has none',
  async () => {
    const both = [withoutQuorum('raftdeck'), ...(etcdWanted ? [withoutQuorum('etcd')] : [])];
    // What fails on one must not leave the other running.
    await Promise.allSettled(both);
    const [ours, theirs] = await Promise.all(both);
    if (etcdWanted) expect(ours).toEqual(theirs);
  },
);
