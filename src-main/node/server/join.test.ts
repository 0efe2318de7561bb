import { describe, expect, test } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { silentLogger } from '../../base/logger.ts';
import { Member } from '../../proto/etcd/rpc.ts';
import { parseNodeFlags } from '../config.ts';
import type { NodeNetwork } from './io.ts';
import { joinCluster } from './join.ts';

const url = (name: string) => `http://${name}:2380`;
const member = (name: string, ID: bigint, at = name) =>
  Member.fromPartial({ ID, name, peerURLs: [url(at)] });

/** What each member says when it is asked, call by call; the last answer stays. */
type Answers = Record<string, (Member[] | 'silent')[]>;

async function join(answers: Answers) {
  const names = [...Object.keys(answers), 'new'];
  const config = parseNodeFlags([
    '--name=new',
    `--listen-peer-urls=${url('new')}`,
    `--initial-advertise-peer-urls=${url('new')}`,
    `--initial-cluster=${names.map((name) => `${name}=${url(name)}`).join()}`,
    '--initial-cluster-state=existing',
  ]);
  if (config === undefined) throw new Error('only help was asked for');
  let nowMs = 0;
  const clock: Clock = {
    nowMs: () => nowMs,
    setTimer: (delayMs, callback) => {
      nowMs += delayMs;
      queueMicrotask(callback);
      return () => {};
    },
  };
  const asked: string[] = [];
  const network = {
    askMembers: async ({ host }: { host: string }) => {
      asked.push(host);
      const list = answers[host] ?? [];
      const answer = list.length > 1 ? list.shift() : list[0];
      if (answer === undefined || answer === 'silent') throw new Error('refused');
      return { clusterId: 7n, members: answer };
    },
  } as unknown as NodeNetwork;
  return { asked, joined: await joinCluster(config, { clock, network }, silentLogger) };
}

const self = Member.fromPartial({ ID: 9n, peerURLs: [url('new')] });
const a = member('a', 1n);
const b = member('b', 2n);

describe('a node that joins', () => {
  test('takes the word of the first who knows it', async () => {
    const { asked, joined } = await join({ a: [[a, b, self]], b: [[a, b, self]] });
    expect(joined).toEqual({ clusterId: 7n, memberId: 9n, members: [a, b, self] });
    expect(asked).toEqual(['a']);
  });

  test('asks the others where one is silent, knows nobody, or knows others only', async () => {
    const others: (Member[] | 'silent')[] = ['silent', [], [a, b]];
    for (const first of others) {
      const { joined } = await join({ a: [first], b: [[a, b, self]] });
      expect(joined.memberId).toBe(9n);
    }
  });

  test('is not put off by one who takes its URLs for those of somebody else', async () => {
    const before = member('other', 3n, 'new');
    const { joined } = await join({ a: [[a, before]], b: [[a, b, self]] });
    expect(joined.memberId).toBe(9n);
    await expect(join({ a: [[a, before]], b: [[a, b]] })).rejects.toThrow('belong to member other');
  });

  test('asks again until somebody has heard of it, and gives up with what to do', async () => {
    const { asked } = await join({
      a: [
        [a, b],
        [a, b],
        [a, b, self],
      ],
      b: [[a, b]],
    });
    expect(asked).toEqual(['a', 'b', 'a', 'b', 'a']);
    const failed = join({ a: [[a, b]], b: ['silent'] });
    await expect(failed).rejects.toMatchObject({
      code: 'JoinFailed',
      message: `the cluster has no member with the peer URLs ${url('new')}`,
      hint: `Add it first: etcdctl member add new --peer-urls=${url('new')}`,
    });
  });

  test('gives up at once where nobody answers', async () => {
    await expect(join({ a: ['silent'], b: ['silent'] })).rejects.toThrow(
      `no member of the cluster answered at ${url('a')},${url('b')}`,
    );
  });
});
