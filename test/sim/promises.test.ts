import { expect, test } from 'vitest';
import { Message, MessageType } from '../../src-main/proto/raftdeck/raft.ts';
import { Promises } from './promises.ts';

const { VOTE, VOTE_RESPONSE, APPEND, APPEND_RESPONSE } = MessageType;

function listen() {
  const promises = new Promises();
  const broken: string[] = [];
  const complain = (property: string) => broken.push(property);
  const terms = [0, 1, 1, 2, 4];
  return {
    broken,
    say: (type: MessageType, fields: Partial<Message>) => {
      const message = Message.fromPartial({ type, from: 1n, to: 2n, ...fields });
      promises.sent([message], { lastIndex: 20, term: (index) => terms[index] }, complain);
    },
    log: (term: number, lastIndex: number) => promises.logged(1n, term, lastIndex, complain),
    restart: (term: number, lastIndex: number, vote = 0n) =>
      promises.opened(1n, { term, vote, lastIndex }, complain),
  };
}

test('a member votes once in a term, for itself too', () => {
  const { say, broken } = listen();
  say(VOTE_RESPONSE, { term: 3, to: 2n });
  say(VOTE_RESPONSE, { term: 3, to: 2n });
  say(VOTE_RESPONSE, { term: 3, to: 3n, reject: true });
  say(VOTE, { term: 4 });
  say(VOTE_RESPONSE, { term: 5, to: 3n });
  expect(broken).toEqual([]);
  say(VOTE_RESPONSE, { term: 4, to: 3n });
  say(VOTE_RESPONSE, { term: 3, to: 3n });
  expect(broken).toEqual(['one vote', 'one vote']);
});

test('it does not come back in an earlier term than it acted in', () => {
  const { say, restart, broken } = listen();
  say(VOTE_RESPONSE, { term: 3, reject: true });
  restart(2, 0);
  say(VOTE_RESPONSE, { term: 3 });
  restart(3, 0, 2n);
  restart(4, 0);
  expect(broken).toEqual([]);
  restart(2, 0);
  expect(broken).toEqual(['kept: term']);
});

test('it comes back with its vote', () => {
  const { say, restart, broken } = listen();
  say(VOTE, { term: 3 });
  restart(3, 0, 1n);
  restart(4, 0, 2n);
  expect(broken).toEqual([]);
  restart(3, 0);
  restart(3, 0, 2n);
  expect(broken).toEqual(['kept: vote', 'kept: vote']);
});

test('what it acknowledged is there after a restart, unless a later leader cut it off', () => {
  const { say, restart, broken } = listen();
  say(APPEND_RESPONSE, { term: 3, index: 9 });
  say(APPEND_RESPONSE, { term: 3, index: 7 });
  say(APPEND_RESPONSE, { term: 3, index: 12, reject: true });
  restart(3, 9);
  restart(4, 5);
  expect(broken).toEqual([]);
  restart(3, 8);
  expect(broken).toEqual(['kept: acknowledged entries']);
  say(APPEND_RESPONSE, { term: 4, index: 6 });
  restart(4, 6);
  restart(4, 5);
  expect(broken).toHaveLength(2);
});

test('in its own term a leader does not cut off what was acknowledged to it', () => {
  const { say, log, broken } = listen();
  say(APPEND_RESPONSE, { term: 3, index: 9 });
  log(3, 9);
  log(4, 2);
  expect(broken).toEqual([]);
  log(3, 8);
  say(APPEND_RESPONSE, { term: 3, index: 21 });
  expect(broken).toEqual(['kept: acknowledged entries', 'kept: acknowledged entries']);
});

test('a leader commits by counting only what is of its own term', () => {
  const { say, broken } = listen();
  say(APPEND, { term: 4, commit: 1 });
  say(APPEND, { term: 4, commit: 1 });
  say(APPEND, { term: 4, commit: 4 });
  say(APPEND, { term: 5, commit: 3 });
  expect(broken).toEqual([]);
  say(APPEND, { term: 2, commit: 1 });
  say(APPEND, { term: 2, commit: 2 });
  expect(broken).toEqual(['commitment']);
});
