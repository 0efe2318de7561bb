import { expect, test } from 'vitest';
import { ReadBatcher } from './reads.ts';

function setup() {
  const asked: number[] = [];
  let willing = true;
  const reads = new ReadBatcher((context) => {
    if (willing) asked.push(context);
    return willing;
  }, 100);
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
