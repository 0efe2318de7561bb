import { expect, test } from 'vitest';
import { EventKind, Role } from '../../proto/raftdeck/inspect.ts';
import { MAX_EVENTS, RaftEvents } from './raft-events.ts';

const kinds = (events: RaftEvents, after = 0) => events.after(after).events.map(({ kind }) => kind);

test('events are numbered, and whoever knows some gets the rest', () => {
  let nowMs = 5;
  const events = new RaftEvents(() => nowMs++);
  events.add(EventKind.STARTED);
  events.add(EventKind.SNAPSHOT_SENT, { member: 3n, index: 70, term: 2 });
  expect(events.after(1)).toEqual({
    events: [
      {
        number: 2,
        atMs: 6,
        kind: EventKind.SNAPSHOT_SENT,
        term: 2,
        role: 0,
        member: 3n,
        index: 70,
      },
    ],
    lost: false,
  });
  expect(events.after(2)).toEqual({ events: [], lost: false });
});

test('the oldest go, and whoever has not seen them is told', () => {
  const events = new RaftEvents(() => 0);
  for (let i = 0; i < MAX_EVENTS + 3; i++) events.add(EventKind.FAULTS);
  expect(events.after(0).events).toHaveLength(MAX_EVENTS);
  expect(events.after(2)).toMatchObject({ lost: true });
  expect(events.after(3)).toMatchObject({ lost: false });
});

test('a change of leadership says who was lost, what this member became, and who leads', () => {
  const events = new RaftEvents(() => 0);
  const follower = { leader: 1n, role: 'follower' } as const;
  const candidate = { leader: 0n, role: 'preCandidate', term: 4 } as const;
  events.leadership(follower, candidate);
  expect(kinds(events)).toEqual([EventKind.LEADER_LOST, EventKind.ROLE]);
  expect(events.after(0).events[0]).toMatchObject({ member: 1n, term: 4 });
  events.leadership(candidate, { leader: 2n, role: 'leader', term: 5 });
  expect(kinds(events, 2)).toEqual([EventKind.ROLE, EventKind.LEADER_KNOWN]);
  expect(events.after(2).events[1]).toMatchObject({ member: 2n, term: 5, role: Role.LEADER });
  events.leadership({ leader: 2n, role: 'leader' }, { leader: 2n, role: 'leader', term: 6 });
  expect(kinds(events, 4)).toEqual([]);
});
