import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { until } from '../support/cluster.ts';
import { Members } from '../support/members.ts';

let members: Members;
afterEach(() => members.stop());

const segments = () => readdirSync(join(members.dataDir(0), 'member', 'wal')).sort();

/** Puts as many at a time as there are lanes; `acknowledged` has the last number of each lane's key. */
async function put(lanes: number, count: number, value: string, acknowledged: number[]) {
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      for (let i = 0; i < count / lanes; i++) {
        await members.client(0).put(`lane/${lane}`, `${i} ${value}`);
        acknowledged[lane] = i;
      }
    }),
  );
}

test('the log stays short on disk however much is written', async () => {
  members = await Members.start({ count: 1, flags: ['--snapshot-count', '500'] });
  const begun = segments();
  expect(begun).toHaveLength(1);
  let most = 0;
  const acknowledged: number[] = [];
  const timer = setInterval(() => {
    most = Math.max(most, segments().length);
  }, 5);
  // More than one segment of 64 MiB.
  await put(64, 20_000, 'v'.repeat(4_096), acknowledged);
  await until('the first segment is gone', () => !segments().includes(begun[0] as string));
  clearInterval(timer);
  expect(most).toBe(2);
  expect(segments()).toHaveLength(1);
});

test('kill -9 while segments are purged loses nothing', async () => {
  const flags = ['--snapshot-count', '20', '--max-request-bytes', '2000000'];
  members = await Members.start({ count: 1, flags });
  const value = 'v'.repeat(1_000_000);
  for (let round = 0; round < 3; round++) {
    const acknowledged: number[] = [];
    const oldest = segments()[0] as string;
    const writing = put(4, 4_000, value, acknowledged).catch(() => 'it was killed');
    // In this very moment: the folder has changed, and the rest of the purge is still to come.
    await until('a purge', () => !segments().includes(oldest));
    await members.node(0).kill('SIGKILL');
    expect(await writing).toBe('it was killed');
    expect(acknowledged.length).toBe(4);

    await members.startOne(0).says('serving clients');
    for (const [lane, last] of acknowledged.entries()) {
      const row = await until('the row', async () => {
        const answer = await members
          .client(0)
          .get(`lane/${lane}`)
          .catch(() => undefined);
        return answer?.kvs[0];
      });
      const found = Number(row.value.toString('latin1', 0, 10).split(' ')[0]);
      // One more may have been written that was not acknowledged any more.
      expect([last, last + 1]).toContain(found);
    }
    // What is readable must also take writes.
    await members.client(0).put('after', String(round));
  }
});
