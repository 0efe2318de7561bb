import { expect, test } from 'vitest';
import { parseArguments } from './arguments.ts';

test('seeds, and what all of them have in common', () => {
  expect(parseArguments(['--seeds', '3..9', '--only', '1,4', '--no-shrink'])).toMatchObject({
    ...{ from: 3, to: 9, options: { steps: 20_000, only: [1, 4] }, shrinks: false },
  });
  expect(parseArguments(['--seed', '7', '--without', 'kill,none'])).toMatchObject({
    ...{ from: 7, to: 7, options: { without: ['kill'] }, shrinks: true, isVerbose: false },
  });
});

test.each([
  ['--sed', '7'],
  ['7'],
  ['--seed'],
  ['--seed', 'x'],
  ['--seeds', '7'],
  ['--only', '1,x'],
])('%s %s is refused, and what there is is told', (...args) => {
  expect(() => parseArguments(args)).toThrow(/usage: npm run sim/);
});
