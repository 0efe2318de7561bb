import { expect, test } from 'vitest';
import { Chance } from './chance.ts';
import { SimFile } from './sim-file.ts';

test('a power cut that tears leaves a part of the last write, and all before it', () => {
  for (let seed = 0; seed < 50; seed++) {
    const file = new SimFile();
    file.write(Buffer.from('one.'), 0);
    file.write(Buffer.from('two.'), 4);
    const found = file.powerCut(new Chance(seed), true);
    expect(found).toEqual({ lost: 0, torn: 1 });
    expect('one.two').toContain(file.read().toString());
    expect(file.length).toBeGreaterThan(4);
    expect(file.isDurable).toBe(true);
  }
});

test('what is synced is not torn', () => {
  const file = new SimFile();
  file.write(Buffer.from('one.'), 0);
  file.synced(file.lastChange);
  expect(file.powerCut(new Chance(1), true)).toEqual({ lost: 0, torn: 0 });
  expect(file.read().toString()).toBe('one.');
});
