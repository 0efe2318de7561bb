import { expect, test } from 'vitest';
import { ContractCallError } from '../../api/client.ts';
import { RevokePlan, type RevokePort, SAMPLE_KEYS } from './revoke-plan.svelte.ts';

const notFound = () => new ContractCallError('NotFound', 'lease not found');

class Leases implements RevokePort {
  readonly living = new Map<string, number>();
  failure: Error | null = null;
  revoked: string[][] = [];

  async keys(id: string) {
    if (this.failure !== null) throw this.failure;
    const count = this.living.get(id);
    if (count === undefined) throw notFound();
    return {
      keys: Array.from({ length: count }, (_, i) => new TextEncoder().encode(`${id}/${i}`)),
    };
  }
  async revoke(ids: string[]) {
    if (this.failure !== null) throw this.failure;
    if (ids.some((id) => !this.living.has(id))) throw notFound();
    this.revoked.push(ids);
    return { revoked: ids.length };
  }
}

test('tells every key that will go, and leaves out leases that are gone', async () => {
  const leases = new Leases();
  leases.living.set('a', 3).set('b', 20);
  const plan = new RevokePlan(['a', 'b', 'c'], leases);
  expect(await plan.run()).toBe(false);
  await plan.check();
  expect([plan.phase, plan.keyCount, plan.goneCount]).toEqual(['ready', 23, 1]);
  expect(plan.sample).toHaveLength(SAMPLE_KEYS);
  expect(plan.sample[0]).toMatchObject({ lease: 'a' });
  expect(await plan.run()).toBe(true);
  expect(leases.revoked).toEqual([['a', 'b']]);
});

test('a lease that ends between check and revoke does not save the others', async () => {
  const leases = new Leases();
  leases.living.set('a', 1).set('b', 1);
  const plan = new RevokePlan(['a', 'b'], leases);
  await plan.check();
  leases.living.delete('a');
  expect(await plan.run()).toBe(true);
  expect(leases.revoked).toEqual([['b']]);
});

test('a failure is shown and may be tried again', async () => {
  const leases = new Leases();
  leases.living.set('a', 1);
  const plan = new RevokePlan(['a'], leases);
  leases.failure = new Error('no leader');
  await plan.check();
  expect([plan.phase, plan.ranOnce]).toEqual(['failed', false]);
  leases.failure = null;
  await plan.check();
  leases.failure = new Error('no leader');
  expect(await plan.run()).toBe(false);
  expect([plan.phase, plan.ranOnce]).toEqual(['failed', true]);
});

test('nothing is left to revoke', async () => {
  const plan = new RevokePlan(['a'], new Leases());
  await plan.check();
  expect([plan.ids.length, plan.goneCount]).toEqual([0, 1]);
  expect(await plan.run()).toBe(false);
});
