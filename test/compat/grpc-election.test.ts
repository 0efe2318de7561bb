import { Metadata, status } from '@grpc/grpc-js';
import { expect } from 'vitest';
import type { LeaderKey, LeaderResponse } from '../../src-main/proto/etcd/v3election.ts';
import { until } from '../support/cluster.ts';
import { type CompatCase, compatSuite } from './support/compat.ts';
import { type ConcurrencyClients, withConcurrency } from './support/concurrency.ts';
import { failure, ranOutOfTime } from './support/grpc.ts';
import { mask } from './support/mask.ts';

type ElectionCase = (clients: ConcurrencyClients, base: number) => Promise<unknown>;
type Define = (name: string, run: ElectionCase) => void;

compatSuite('Election over gRPC', [], (compat) => {
  defineLeadership(electionCases(compat));
  defineQueue(electionCases(compat));
  defineObserve(electionCases(compat));
});

function electionCases(compat: (name: string, run: CompatCase) => void): Define {
  return (name, run) =>
    compat(`election: ${name}`, (target) =>
      withConcurrency(target, async (clients) => {
        const base = await clients.revision();
        return mask(await run(clients, base), base);
      }),
    );
}

/** A field of the name "leader" would be masked. */
const won = ({ header, leader }: { header?: unknown; leader?: unknown }) => ({
  header,
  leaderKey: leader,
});

const NOT_LEADER = { code: status.UNKNOWN, message: 'election: not leader' };
const NO_LEADER = { code: status.UNKNOWN, message: 'election: no leader' };
const NO_LEASE = { code: status.UNKNOWN, message: 'etcdserver: requested lease not found' };

function defineLeadership(compat: Define): void {
  compat('the life of a leadership', async (clients) => {
    await clients.grantAll(0x2abn);
    const answers: unknown[] = [await failure(clients.leader('li'))];
    const campaign = await clients.campaign('li', 0x2abn, 'one').answer;
    expect(campaign.leader?.key.toString()).toBe('li/2ab');
    answers.push(won(campaign), await clients.leader('li'));
    answers.push(await clients.proclaim(campaign.leader, 'two'), await clients.leader('li'));
    answers.push(await clients.resign(campaign.leader), await failure(clients.leader('li')));
    expect(answers[0]).toEqual(NO_LEADER);
    return answers;
  });

  compat('to campaign again is to proclaim, if the value is another', async (clients) => {
    await clients.grantAll(2100n);
    const answers = [];
    for (const value of ['one', 'one', 'two', '']) {
      answers.push(won(await clients.campaign('ag', 2100n, value).answer));
      answers.push(await clients.leader('ag'));
    }
    return answers;
  });

  compat('who has lost it cannot proclaim, and resigns without an effect', async (clients) => {
    await clients.grantAll(2110n);
    const old = await clients.elect('lo', 2110n, 'old');
    const answers: unknown[] = [await clients.resign(old)];
    answers.push(await failure(clients.proclaim(old, 'x')), await clients.resign(old));
    const anew = await clients.elect('lo', 2110n, 'new');
    answers.push(await failure(clients.proclaim(old, 'x')), await clients.resign(old));
    answers.push(await failure(clients.proclaim({ ...anew, rev: anew.rev + 1 }, 'x')));
    answers.push(await clients.leader('lo'));
    expect([answers[1], answers[3], answers[5]]).toEqual([NOT_LEADER, NOT_LEADER, NOT_LEADER]);
    return answers;
  });

  compat('a leader key is wanted, and a lease that is there', async (clients) => {
    await clients.grantAll(2120n);
    const leader = await clients.elect('wa', 2120n, 'v');
    const none: LeaderKey = { name: leader.name, key: Buffer.alloc(0), rev: 1, lease: 2120n };
    const errors = [
      await failure(clients.proclaim(undefined, 'x')),
      await failure(clients.resign(undefined)),
      await failure(clients.proclaim({ ...leader, lease: 4711n }, 'x')),
      await failure(clients.proclaim(none, 'x')),
      await failure(clients.resign(none)),
      await failure(clients.campaign('wa', 4711n, 'x').answer),
      await failure(clients.proclaim(leader, 'x'.repeat(1_600_000))),
    ];
    const missing = { code: status.UNKNOWN, message: '"leader" field must be provided' };
    expect(errors.slice(0, 3)).toEqual([missing, missing, NO_LEASE]);
    return [errors, await clients.leader('wa')];
  });

  compat('without a lease the server grants one', async (clients) => {
    const { header, leader } = await clients.campaign('gr', 0n, 'v').answer;
    const lease = leader?.lease ?? 0n;
    expect(leader?.key.toString()).toBe(`gr/${lease.toString(16)}`);
    const { kv } = await clients.leader('gr');
    expect(kv?.lease).toBe(lease);
    await clients.revoke(lease);
    return [header, leader?.rev, await failure(clients.leader('gr'))];
  });

  compat('an election and a lock of one name stand in one queue', async (clients) => {
    await clients.grantAll(2130n, 2131n);
    await clients.lock('on', 2130n).answer;
    const campaign = clients.campaign('on', 2131n, 'v');
    await clients.queued('on', 2130n, 2131n);
    const { kv } = await clients.leader('on');
    await clients.unlock('on/852');
    return [kv, won(await campaign.answer)];
  });
}

function defineQueue(compat: Define): void {
  compat('five candidates take over in the order of their arrival', async (clients) => {
    const leases = [2200n, 2201n, 2202n, 2203n, 2204n, 2205n];
    await clients.grantAll(...leases);
    const calls = [];
    for (const [index, lease] of leases.entries()) {
      calls.push(clients.campaign('or', lease, `candidate ${index}`));
      await clients.queued('or', ...leases.slice(0, index + 1));
    }
    const answers = [];
    for (const [index, pending] of calls.entries()) {
      const campaign = await pending.answer;
      answers.push(won(campaign), await clients.leader('or'));
      const others = calls.slice(index + 1).map((other) => other.settled());
      expect(others.every((settled) => settled === undefined)).toBe(true);
      answers.push(await clients.resign(campaign.leader));
    }
    expect(await clients.queue('or')).toEqual([]);
    return answers;
  });

  compat('a candidate that waits may change its value', async (clients) => {
    await clients.grantAll(2210n, 2211n);
    const leader = await clients.elect('ch', 2210n, 'one');
    const first = clients.campaign('ch', 2211n, 'two');
    await clients.queued('ch', 2210n, 2211n);
    const second = clients.campaign('ch', 2211n, 'three');
    const { kv } = await clients.leader('ch');
    expect(kv?.value.toString()).toBe('one');
    await expectValue(clients, 'ch/8a3', 'three');
    const resigned = await clients.resign(leader);
    const keys = [(await first.answer).leader, (await second.answer).leader];
    return [resigned, keys, await clients.leader('ch')];
  });

  compat('cancelled or out of time, a candidate leaves the queue', async (clients) => {
    await clients.grantAll(2220n, 2221n, 2222n, 2223n);
    const leader = await clients.elect('ca', 2220n, 'one');
    const second = clients.campaign('ca', 2221n, 'two');
    await clients.queued('ca', 2220n, 2221n);
    const third = clients.campaign('ca', 2222n, 'three', 3_000);
    await clients.queued('ca', 2220n, 2221n, 2222n);
    const fourth = clients.campaign('ca', 2223n, 'four');
    second.cancel();
    expect(await failure(second.answer)).toMatchObject({ code: status.CANCELLED });
    await ranOutOfTime(third.answer);
    await clients.queued('ca', 2220n, 2223n);
    expect(fourth.settled()).toBeUndefined();
    await clients.resign(leader);
    return [(await fourth.answer).leader?.key, await clients.queue('ca')];
  });

  compat('the end of a lease hands over, while leading or waiting', async (clients) => {
    await clients.grantAll(2230n, 2231n, 2232n);
    await clients.elect('le', 2230n, 'one');
    const second = clients.campaign('le', 2231n, 'two');
    await clients.queued('le', 2230n, 2231n);
    const third = clients.campaign('le', 2232n, 'three');
    await clients.queued('le', 2230n, 2231n, 2232n);
    await clients.revoke(2231n);
    expect([second.settled(), third.settled()]).toEqual([undefined, undefined]);
    await clients.revoke(2230n);
    // No etcd looks whether the candidate is still there: what it is answered is worth nothing.
    const lost = await second.answer;
    const answers = [won(lost), won(await third.answer), await clients.leader('le')];
    const late = await failure(clients.proclaim(lost.leader, 'x'));
    expect(late).toMatchObject({ code: status.UNKNOWN });
    return [answers, late];
  });
}

async function expectValue(clients: ConcurrencyClients, key: string, value: string): Promise<void> {
  await until(`${key}=${value}`, async () => {
    const { kvs } = await clients.range({ key: Buffer.from(key) });
    return kvs[0]?.value.toString() === value ? true : undefined;
  });
}

function defineObserve(compat: Define): void {
  compat('an observer sees leaders and what they proclaim, in order', async (clients) => {
    await clients.grantAll(2300n, 2301n, 2302n);
    const first = await clients.elect('ob', 2300n, 'one');
    await clients.set('unrelated', '1');
    const observer = clients.observe('ob');
    await observer.responses(1);
    await clients.proclaim(first, 'uno');
    await clients.proclaim(first, 'eins');
    await observer.responses(3);
    const second = clients.campaign('ob', 2301n, 'two');
    await clients.queued('ob', 2300n, 2301n);
    await clients.resign(first);
    await observer.responses(4);
    await clients.proclaim((await second.answer).leader, 'zwei');
    await observer.responses(5);
    const third = clients.campaign('ob', 2302n, 'three');
    await clients.queued('ob', 2301n, 2302n);
    await clients.revoke(2301n);
    const seen = await observer.responses(6);
    observer.close();
    expect(values(seen)).toEqual(['one', 'uno', 'eins', 'two', 'zwei', 'three']);
    return [seen, (await third.answer).leader];
  });

  compat('an observer waits for the first leader, and for the next', async (clients) => {
    await clients.grantAll(2310n, 2311n);
    const observer = clients.observe('wf');
    const other = clients.observe('other');
    const first = await clients.elect('wf', 2310n, 'one');
    await observer.responses(1);
    await clients.resign(first);
    expect(await failure(clients.leader('wf'))).toEqual(NO_LEADER);
    await clients.elect('wf', 2311n, 'two');
    const seen = await observer.responses(2);
    expect(values(seen)).toEqual(['one', 'two']);
    expect(other.received).toEqual([]);
    observer.close();
    other.close();
    return seen.map(({ kv }) => kv);
  });

  compat('an observer that requires a leader is served where there is one', async (clients) => {
    await clients.grantAll(2320n);
    await clients.elect('ha', 2320n, 'one');
    const metadata = new Metadata();
    metadata.set('hasleader', 'true');
    const observer = clients.observe('ha', metadata);
    const seen = await observer.responses(1);
    observer.close();
    return seen;
  });
}

function values(responses: LeaderResponse[]): (string | undefined)[] {
  return responses.map(({ kv }) => kv?.value.toString());
}
