import { expect, test } from 'vitest';
import { Chance } from './chance.ts';
import { SimNetwork } from './sim-network.ts';
import { World } from './world.ts';

const WAY = { from: 'a', to: 'b' };

function setUp() {
  const world = new World();
  const network = new SimNetwork(world, new Chance(1));
  const arrived: string[] = [];
  const frames = { lastMs: 0 };
  const snapshot = { lastMs: 0 };
  const run = (forMs: number) => world.run(world.nowMs + forMs, () => false);
  return {
    network,
    arrived,
    run,
    frame: (name: string) =>
      network.transmit(WAY, frames, undefined, () => void arrived.push(name)),
    piece: (name: string) => {
      const options = { isStream: true };
      network.transmit(WAY, snapshot, undefined, () => void arrived.push(name), options);
    },
  };
}

test('frames of a stalled way wait, snapshots pass', async () => {
  const { network, arrived, run, frame, piece } = setUp();
  const mend = network.cut('a', 'b', 'stall');
  expect(network.isCut('a', 'b')).toBe(false);
  frame('first');
  frame('second');
  piece('snapshot');
  await run(1_000);
  expect(arrived).toEqual(['snapshot']);
  mend();
  await run(1_000);
  expect(arrived).toEqual(['snapshot', 'first', 'second']);
});

test('a way that is cut altogether lets nothing pass, stalled or not', async () => {
  const { network, arrived, run, frame, piece } = setUp();
  network.cut('a', 'b', 'stall');
  network.cut('a', 'b', 'drop');
  expect(network.isCut('a', 'b')).toBe(true);
  frame('frame');
  piece('snapshot');
  network.heal();
  await run(1_000);
  expect(arrived).toEqual([]);
});
