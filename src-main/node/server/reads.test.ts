import { expect, test } from 'vitest';
import { ReadBatcher } from './reads.ts';

function setup() {
  const asked: number[] = [];
  let willing = true;
  const reads = new ReadBatcher(
    (context) => {
      if (willing) asked.push(context);
      return willing;
    },
    100,
    300,
  );
  const order: string[] = [];
  const request = (name: string, deadlineMs = 1_000) =>
    reads.request(deadlineMs).then(
      () => void order.push(name),
      (error: { code: string }) => void order.push(`${name}:${error.code}`),
    );
  return {
    reads,
    asked,
    order,
    request,
    refuse: () => (willing = false),
    accept: () => (willing = true),
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('one round serves all who asked before it, later ones get their own', async () => {
  const { reads, asked, order, request } = setup();
  void request('a');
  void request('b');
  reads.startRound(0);
  void request('late');
  reads.startRound(0);
  expect(asked).toEqual([1]);
  reads.confirmed(1, 5, 5);
  await settled();
  expect(order).toEqual(['a', 'b']);
  reads.startRound(1);
  expect(asked).toEqual([1, 2]);
  reads.confirmed(2, 5, 5);
  await settled();
  expect(order).toEqual(['a', 'b', 'late']);
});

test('a confirmed read waits until its index is applied', async () => {
  const { reads, order, request } = setup();
  void request('a');
  reads.startRound(0);
  reads.confirmed(1, 9, 5);
  reads.applied(8);
  await settled();
  expect(order).toEqual([]);
  reads.applied(9);
  await settled();
  expect(order).toEqual(['a']);
});

test('a refused or unanswered round is asked again under a new context; an old answer counts for nothing', async () => {
  const { reads, asked, order, request } = setup();
  void request('a');
  reads.startRound(0);
  reads.confirmed(1, -1, 5);
  reads.tick(10);
  expect(asked).toEqual([1, 2]);
  reads.tick(200);
  expect(asked).toEqual([1, 2, 3]);
  reads.confirmed(2, 5, 5);
  await settled();
  expect(order).toEqual([]);
  reads.confirmed(3, 5, 5);
  await settled();
  expect(order).toEqual(['a']);
});

test('without a leader it waits, and times out', async () => {
  const { reads, asked, order, request, refuse, accept } = setup();
  refuse();
  void request('early', 50);
  void request('a');
  reads.startRound(0);
  reads.tick(60);
  await settled();
  expect(order).toEqual(['early:Timeout']);
  accept();
  reads.tick(70);
  expect(asked).toHaveLength(1);
  reads.failAll('Stopped');
  await settled();
  expect(order).toEqual(['early:Timeout', 'a:Stopped']);
});

test('without a leader for long reads are refused at once, until there is one again', async () => {
  const { reads, asked, order, request, refuse, accept } = setup();
  refuse();
  void request('waiting', 10_000);
  reads.startRound(0);
  reads.tick(0, false);
  reads.tick(299, false);
  await settled();
  expect(order).toEqual([]);
  reads.tick(300, false);
  void request('later', 10_000);
  reads.tick(310, false);
  await settled();
  expect(order).toEqual(['waiting:NoLeader', 'later:NoLeader']);
  accept();
  void request('served', 10_000);
  reads.tick(320, true);
  reads.confirmed(asked.at(-1) ?? 0, 5, 5);
  await settled();
  expect(order.slice(2)).toEqual(['served']);
});

test('an election fails no reads, nor do two with a leader in between', async () => {
  const { reads, order, request, refuse, accept, asked } = setup();
  refuse();
  void request('a', 10_000);
  for (const nowMs of [0, 200, 290]) reads.tick(nowMs, false);
  reads.tick(295, true);
  for (const nowMs of [300, 400, 590]) reads.tick(nowMs, false);
  accept();
  reads.tick(595, true);
  expect(asked).toHaveLength(1);
  reads.confirmed(asked[0] ?? 0, 5, 5);
  await settled();
  expect(order).toEqual(['a']);
});

test('a read that the leader confirmed before it fell is still served', async () => {
  const { reads, order, request } = setup();
  void request('confirmed', 10_000);
  reads.startRound(0);
  reads.confirmed(1, 9, 5);
  reads.tick(10, false);
  reads.tick(1_000, false);
  reads.applied(9);
  await settled();
  expect(order).toEqual(['confirmed']);
});
