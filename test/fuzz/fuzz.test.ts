import { describe, expect, it } from 'vitest';
import { describeFailure } from './report.ts';
import { runTarget } from './runner.ts';
import { TARGETS } from './targets/index.ts';

const SEED = 1;

describe('inputs that others made', () => {
  for (const [name, { make, testExecutions }] of Object.entries(TARGETS)) {
    it(`do no harm: ${name}`, async () => {
      const result = await runTarget(make, { seed: SEED, executions: testExecutions });
      expect(result.failure && describeFailure(name, result.failure)).toBeUndefined();
      expect(result.executions).toBe(testExecutions);
    });
  }
});
