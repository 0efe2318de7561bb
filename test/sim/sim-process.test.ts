import { expect, test } from 'vitest';
import { SimProcess } from './sim-process.ts';
import { World } from './world.ts';

test('after a pause each way keeps its order, and may be read later than what is local', async () => {
  const world = new World();
  const process = new SimProcess(world, () => {});
  const [slow, quick] = [{}, {}];
  const seen: string[] = [];
  process.laneDelayMs = () => delays.shift() ?? 0;
  const delays = [5, 0];
  process.pause();
  const arrive = (name: string, lane?: object) =>
    world.after(1, () => seen.push(name), process, lane);
  arrive('a1', slow);
  arrive('b1', quick);
  arrive('a2', slow);
  arrive('timer');
  arrive('b2', quick);
  await world.run(2, () => false);
  expect(seen).toEqual([]);
  process.resume();
  await world.run(100, () => false);
  expect(seen).toEqual(['b1', 'timer', 'b2', 'a1', 'a2']);
});
