import { expect, test } from 'vitest';
import { EntryType } from '../../src-main/proto/raftdeck/raft.ts';
import { LogMirror } from './log-mirror.ts';

const confState = {
  ...{ voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
};
const entry = (index: number, term: number) => ({
  ...{ index, term, type: EntryType.NORMAL, data: Buffer.from(`${index}`) },
});

test('holds what is on the disk and was not cut off since', () => {
  const mirror = new LogMirror({
    hardState: { term: 1, vote: 0n, commit: 3 },
    confState,
    snapshot: { index: 3, term: 1 },
    entries: [entry(4, 1)],
    applied: 3,
  });
  expect([2, 4, 5].map((index) => mirror.holds(index, 1))).toEqual([true, true, false]);
  mirror.note({ group: 0, entries: [entry(5, 1), entry(6, 1)] });
  expect(mirror.holds(5, 1)).toBe(false);
  mirror.durable = mirror.lastIndex;
  expect(mirror.holds(5, 1)).toBe(true);
  mirror.note({ group: 0, entries: [entry(5, 2)] });
  expect([mirror.holds(4, 1), mirror.holds(5, 1), mirror.holds(5, 2)]).toEqual([
    true,
    false,
    false,
  ]);
});
