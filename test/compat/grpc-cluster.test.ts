import { type ServiceError, status } from '@grpc/grpc-js';
import { expect } from 'vitest';
import type {
  Member,
  MemberAddResponse,
  MemberListResponse,
  MemberPromoteResponse,
  MemberRemoveResponse,
  MemberUpdateResponse,
  MoveLeaderResponse,
} from '../../src-main/proto/etcd/rpc.ts';
import { until } from '../support/cluster.ts';
import { compatSuite } from './support/compat.ts';
import { call, failure, type GrpcClients, withClients } from './support/grpc.ts';
import type { Target } from './support/targets.ts';

/** Nobody listens there: these members are never started. */
const ABSENT = 'http://127.0.0.1:9';
const OTHER = 'http://127.0.0.1:10';
const UNKNOWN = 0xabcn;
const CHANGE_TIMEOUT_MS = 8_000;
const MAX_TRIES = 3;

/**
 * etcd drops a change that comes before the one before it is applied, and leaves the call waiting
 * for good: then it is made again.
 */
async function change<Response>(start: Parameters<typeof call<Response>>[0]): Promise<Response> {
  for (let tries = 1; ; tries++) {
    try {
      return await call(start, CHANGE_TIMEOUT_MS);
    } catch (error) {
      const { code } = error as ServiceError;
      if (code !== status.DEADLINE_EXCEEDED || tries === MAX_TRIES) throw error;
    }
  }
}

const add = (c: GrpcClients, peerURLs: string[], isLearner = true): Promise<MemberAddResponse> =>
  change((...rest) => c.cluster.memberAdd({ peerURLs, isLearner }, ...rest));
const remove = (c: GrpcClients, ID: bigint): Promise<MemberRemoveResponse> =>
  change((...rest) => c.cluster.memberRemove({ ID }, ...rest));
const update = (c: GrpcClients, ID: bigint, peerURLs: string[]): Promise<MemberUpdateResponse> =>
  change((...rest) => c.cluster.memberUpdate({ ID, peerURLs }, ...rest));
const promote = (c: GrpcClients, ID: bigint): Promise<MemberPromoteResponse> =>
  change((...rest) => c.cluster.memberPromote({ ID }, ...rest));
const list = (c: GrpcClients): Promise<MemberListResponse> =>
  call((...rest) => c.cluster.memberList({ linearizable: true }, ...rest));
const moveLeader = (c: GrpcClients, targetID: bigint): Promise<MoveLeaderResponse> =>
  call((...rest) => c.maintenance.moveLeader({ targetID }, ...rest));

/** What does not differ from one cluster to the next. The first member's own URLs do. */
function shape(members: Member[]): unknown {
  return members
    .map(({ name, peerURLs, clientURLs, isLearner }) => ({
      name: name === '' ? '' : '<self>',
      peerURLs: name === '' ? peerURLs : peerURLs.length,
      clientURLs: clientURLs.length,
      isLearner,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function ownId(c: GrpcClients): Promise<bigint> {
  const { header } = await list(c);
  return header?.memberId ?? 0n;
}

/**
 * Runs a case with a learner that was added, at a port of the case's own, and is removed after it.
 */
async function withLearner<T>(
  target: Target,
  port: number,
  run: (clients: GrpcClients, learner: bigint, url: string) => Promise<T>,
): Promise<T> {
  return withClients(target, async (c) => {
    const url = `http://127.0.0.1:${port}`;
    const { member } = await add(c, [url]);
    const learner = member?.ID ?? 0n;
    try {
      return await run(c, learner, url);
    } finally {
      await remove(c, learner).catch(() => undefined);
    }
  });
}

compatSuite('Cluster', [], (it) => {
  it('memberAdd answers the learner and all members, memberRemove those that are left', (target) =>
    withClients(target, async (c) => {
      const added = await add(c, [OTHER, ABSENT]);
      expect(added.member?.isLearner).toBe(true);
      const listed = await list(c);
      const removed = await remove(c, added.member?.ID ?? 0n);
      return [
        added.header?.revision,
        shape([added.member as Member]),
        shape(added.members),
        shape(listed.members),
        removed.header?.revision,
        shape(removed.members),
      ];
    }));

  it('the same URLs added and removed twice give two different members', (target) =>
    withClients(target, async (c) => {
      const first = (await add(c, [ABSENT])).member?.ID ?? 0n;
      await remove(c, first);
      // etcd's ids are of one second: until it is over, the new one would be the one just removed.
      const again = () => add(c, [ABSENT]).catch(() => undefined);
      const second = (await until('a new id', again)).member?.ID ?? 0n;
      expect(second).not.toBe(first);
      const gone = await failure(remove(c, first));
      await remove(c, second);
      return gone;
    }));

  it('memberAdd refuses URLs that are none', (target) =>
    withClients(target, async (c) => {
      const wrong = [[], ['127.0.0.1:1'], ['http://127.0.0.1'], ['http://127.0.0.1:1/x'], ['x']];
      const answers = [];
      for (const urls of wrong) answers.push(await failure(add(c, urls)));
      expect(answers[0]).toEqual({
        code: 3,
        message: 'etcdserver: given member URLs are invalid',
      });
      return answers;
    }));

  it('memberAdd refuses URLs in use and a second learner', (target) =>
    withLearner(target, 20, async (c, _learner, url) => {
      const own = (await list(c)).members.find(({ name }) => name !== '')?.peerURLs ?? [];
      return [
        await failure(add(c, own)),
        await failure(add(c, [url, OTHER])),
        await failure(add(c, [OTHER])),
      ];
    }));

  it('memberPromote refuses a learner that never came, a voter and a stranger', (target) =>
    withLearner(target, 21, async (c, learner) => [
      await failure(promote(c, learner)),
      await failure(promote(c, await ownId(c))),
      await failure(promote(c, UNKNOWN)),
    ]));

  it('memberRemove refuses a stranger and the last voter', (target) =>
    withLearner(target, 22, async (c) => [
      await failure(remove(c, UNKNOWN)),
      await failure(remove(c, 0n)),
      await failure(remove(c, await ownId(c))),
    ]));

  it('memberUpdate changes the URLs, and refuses a stranger and URLs in use', (target) =>
    withLearner(target, 23, async (c, learner) => {
      const own = (await list(c)).members.find(({ name }) => name !== '')?.peerURLs ?? [];
      const answer = await update(c, learner, [OTHER]);
      return [
        answer.header?.revision,
        // etcd 3.4 forgets here that it is a learner.
        answer.members.find(({ ID }) => ID === learner)?.peerURLs,
        await failure(update(c, learner, own)),
        await failure(update(c, UNKNOWN, ['http://127.0.0.1:11'])),
      ];
    }));

  it('moveLeader refuses a learner, itself is fine, a stranger is not', (target) =>
    withLearner(target, 24, async (c, learner) => {
      const answer = await moveLeader(c, await ownId(c)).then(
        ({ header }) => header?.revision !== undefined,
        () => 'refused',
      );
      return [answer, await failure(moveLeader(c, learner)), await failure(moveLeader(c, UNKNOWN))];
    }));
});
