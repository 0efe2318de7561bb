import { describe, expect, it } from 'vitest';
import { seededRandom } from '../base/prng.ts';
import { DEFAULT_RESTART_LIMITS, RestartPolicy } from './restart-policy.ts';

const limits = { ...DEFAULT_RESTART_LIMITS, jitter: 0 };
const delays = (policy: RestartPolicy, servedMs: number[]) =>
  servedMs.map((ms) => {
    const decision = policy.onCrash(ms);
    return decision.restart ? decision.delayMs : 'gives up';
  });

describe('restart policy', () => {
  it('doubles the delay and gives up at the fifth quick failure', () => {
    const policy = new RestartPolicy(limits, seededRandom(1));
    expect(delays(policy, [0, 0, 100, 4_999, 0])).toEqual([200, 400, 800, 1_600, 'gives up']);
  });

  it('caps the delay', () => {
    const policy = new RestartPolicy({ ...limits, maxQuickFailures: 10 }, seededRandom(1));
    expect(delays(policy, Array(7).fill(0))).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  });

  it('starts anew after a healthy run', () => {
    const policy = new RestartPolicy(limits, seededRandom(1));
    expect(delays(policy, [0, 0, 0, 5_000, 0])).toEqual([200, 400, 800, 200, 400]);
  });

  it('starts anew when somebody asks for a start', () => {
    const policy = new RestartPolicy(limits, seededRandom(1));
    delays(policy, [0, 0, 0, 0, 0]);
    policy.reset();
    expect(delays(policy, [0])).toEqual([200]);
  });

  it('spreads delays within the jitter, and not all alike', () => {
    const random = seededRandom(42);
    const first = Array.from({ length: 200 }, () => {
      const policy = new RestartPolicy({ ...limits, jitter: 0.2 }, random);
      return delays(policy, [0])[0] as number;
    });
    expect(Math.min(...first)).toBeGreaterThanOrEqual(180);
    expect(Math.max(...first)).toBeLessThanOrEqual(220);
    expect(new Set(first).size).toBeGreaterThan(10);
  });
});
