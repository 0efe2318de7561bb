import { expect, test } from 'vitest';
import { Message, MessageType } from '../../proto/raftdeck/raft.ts';
import { RoundTrips } from './round-trips.ts';

const heartbeat = Message.fromPartial({ type: MessageType.HEARTBEAT, to: 2n });
const answer = Message.fromPartial({ type: MessageType.HEARTBEAT_RESPONSE, from: 2n });

function setup() {
  const clock = { ms: 100 };
  return { clock, trips: new RoundTrips(() => clock.ms, 1_000) };
}

test('a heartbeat is timed up to its answer; those sent meanwhile are not', () => {
  const { clock, trips } = setup();
  expect(trips.roundTripUs(2n)).toBe(0);
  trips.sent([heartbeat]);
  clock.ms += 1;
  trips.sent([heartbeat]);
  clock.ms += 1.5;
  trips.received(2n, [answer]);
  expect(trips.roundTripUs(2n)).toBe(2_500);
  trips.received(2n, [answer]);
  expect(trips.roundTripUs(2n)).toBe(2_500);
});

test('an answer that comes too late belongs to no heartbeat, and one that is lost does not stop the timing', () => {
  const { clock, trips } = setup();
  trips.sent([heartbeat]);
  clock.ms += 1_001;
  trips.received(2n, [answer]);
  expect(trips.roundTripUs(2n)).toBe(0);
  trips.sent([heartbeat]);
  clock.ms += 5_000;
  trips.sent([heartbeat]);
  clock.ms += 3;
  trips.received(2n, [answer]);
  expect(trips.roundTripUs(2n)).toBe(3_000);
  trips.forget();
  expect(trips.roundTripUs(2n)).toBe(0);
});

test('appends and their answers are not timed: they wait for disks', () => {
  const { trips } = setup();
  trips.sent([Message.fromPartial({ type: MessageType.APPEND, to: 2n })]);
  trips.received(2n, [answer]);
  expect(trips.roundTripUs(2n)).toBe(0);
});
