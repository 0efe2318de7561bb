import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LastInput } from './last-input.ts';
import { describeFailure } from './report.ts';
import { runTarget } from './runner.ts';
import { TARGETS } from './targets/index.ts';

const SEED = 1;

/** One that never ends would keep the runner from telling which it was. */
let last: LastInput;
beforeAll(() => {
  last = new LastInput('test-output/fuzz/last-input-of-the-test.hex');
});
afterAll(() => last.close());

describe('inputs that others made', () => {
  for (const [name, { make, testExecutions }] of Object.entries(TARGETS)) {
    it(`do no harm: ${name}`, async () => {
      const result = await runTarget(make, {
        seed: SEED,
        executions: testExecutions,
        onInput: (input) => last.put(input),
      });
      expect(result.failure && describeFailure(name, result.failure)).toBeUndefined();
      expect(result.executions).toBe(testExecutions);
    });
  }
});
