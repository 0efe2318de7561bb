import { afterEach, expect, test } from 'vitest';
import { until } from '../support/cluster.ts';
import { Members } from '../support/members.ts';

let members: Members;
afterEach(() => members.stop());

/** Puts in a row through one member until stopped. */
class Putter {
  puts = 0;
  longestMs = 0;
  readonly failures: unknown[] = [];
  #running = true;
  readonly #done: Promise<void>;

  constructor(member: number, label: string) {
    this.#done = this.#run(member, label);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  async #run(member: number, label: string): Promise<void> {
    while (this.#running) {
      const started = performance.now();
      try {
        await members.client(member).put(`/${label}/${this.puts}`, 'value');
        this.puts++;
      } catch (error) {
        this.failures.push(error);
      }
      this.longestMs = Math.max(this.longestMs, performance.now() - started);
    }
  }
}

test('a leader that is asked to stop hands over: the others go on without noticing', async () => {
  // So long that an election by time-out could not be mistaken for a hand-over.
  members = await Members.start({ count: 3, flags: ['--election-timeout', '4000'] });
  for (let round = 0; round < 3; round++) {
    const leader = await members.leader();
    const others = [0, 1, 2].filter((i) => i !== leader);
    const putters = others.flatMap((i) =>
      ['a', 'b', 'c'].map((name) => new Putter(i, `${round}/${i}${name}`)),
    );
    const watch = members.client(leader).watch({ key: 'anything' }, () => {});
    await until('puts flow', () => putters.every(({ puts }) => puts > 20) || undefined);

    const asked = performance.now();
    const exit = members.node(leader).kill('SIGTERM');
    const successor = await members.leader(others);
    const electedMs = performance.now() - asked;
    expect(await exit).toMatchObject({ code: 0, signal: null });
    const stoppedMs = performance.now() - asked;
    const seen = putters.map(({ puts }) => puts);
    await until('puts go on', () => putters.every((p, i) => p.puts > (seen[i] ?? 0) + 20));
    await Promise.all(putters.map((putter) => putter.stop()));
    watch.cancel();

    expect(successor).not.toBe(leader);
    expect(electedMs).toBeLessThan(1_500);
    expect(stoppedMs).toBeLessThan(2_000);
    for (const { failures, longestMs } of putters) {
      expect(failures).toEqual([]);
      expect(longestMs).toBeLessThan(1_000);
    }
    members.startOne(leader);
    await members.node(leader).says('serving clients');
    // Back in the fold, or the next hand-over has nobody to go to.
    await until('it has caught up', async () => {
      const key = `/${round}/${others[0]}a/1`;
      const answer = await members
        .client(leader)
        .get(key)
        .catch(() => undefined);
      return answer?.kvs[0];
    });
  }
});

test('a follower stops at once, and what it was asked before is answered', async () => {
  members = await Members.start({ count: 3 });
  const leader = await members.leader();
  const follower = [0, 1, 2].find((i) => i !== leader) as number;
  const puts = Array.from({ length: 200 }, (_, i) =>
    members.client(follower).put(`/last/${i}`, 'v'),
  );
  await puts[0];
  const asked = performance.now();
  const { code } = await members.node(follower).kill('SIGTERM');
  expect(code).toBe(0);
  expect(performance.now() - asked).toBeLessThan(2_000);
  const outcomes = await Promise.allSettled(puts);
  const acknowledged = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
  expect(acknowledged.length).toBeGreaterThan(0);
  for (const i of acknowledged) {
    expect((await members.client(leader).get(`/last/${i}`)).kvs).toHaveLength(1);
  }
});

test('a leader without anybody to hand over to still stops in time', async () => {
  members = await Members.start({ count: 3 });
  const leader = await members.leader();
  for (const i of [0, 1, 2]) if (i !== leader) members.node(i).process.kill('SIGSTOP');
  const asked = performance.now();
  const exit = await members.node(leader).kill('SIGTERM');
  expect(exit.code).toBe(0);
  expect(performance.now() - asked).toBeLessThan(2_000);
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  'a second signal, %s, ends it at once',
  async (second) => {
    members = await Members.start({ count: 3 });
    const leader = await members.leader();
    await members.client(leader).put('kept', 'v');
    const others = [0, 1, 2].filter((i) => i !== leader);
    // It waits for a successor that does not answer.
    for (const i of others) members.node(i).process.kill('SIGSTOP');
    const node = members.node(leader);
    void node.kill('SIGTERM');
    await node.says('"stopping"');
    // Closer ones are taken for the same Ctrl-C.
    await new Promise((resolve) => setTimeout(resolve, 150));
    const asked = performance.now();
    const exit = await node.kill(second);
    expect(exit).toMatchObject({ code: 1, signal: null });
    expect(exit.stderr).toContain('stopped at once by a second signal');
    expect(performance.now() - asked).toBeLessThan(300);

    for (const i of others) members.node(i).process.kill('SIGCONT');
    await members.startOne(leader).says('serving clients');
    // The channel fails calls until it has tried to connect anew.
    const kept = await until('the key', async () => {
      const answer = await members
        .client(leader)
        .get('kept')
        .catch(() => undefined);
      return answer?.kvs[0];
    });
    expect(kept.value.toString()).toBe('v');
  },
);
