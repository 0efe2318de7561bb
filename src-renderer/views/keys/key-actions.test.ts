import { describe, expect, test } from 'vitest';
import type { KeyDetail, KeyRow } from '../../../src-main/contract/views.ts';
import { ContractCallError } from '../../api/client.ts';
import { MAX_VALUE_BYTES } from '../../lib/limits.ts';
import { CreateForm } from './create-form.svelte.ts';
import { DeletePlan, type DeletePort, SAMPLE_ROWS } from './delete-plan.svelte.ts';
import { OpenKey } from './detail/open-key.svelte.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);

function row(key: string, lease: string | null = null): KeyRow {
  return {
    key: utf8(key),
    createRevision: 1,
    modRevision: 7,
    version: 1,
    lease,
    valueBytes: null,
  };
}

class Deletes implements DeletePort {
  calls: unknown[][] = [];
  failure: Error | null = null;

  async list(prefix: Uint8Array, limit: number) {
    if (this.failure !== null) throw this.failure;
    this.calls.push(['list', prefix, limit]);
    return { rows: [row('/a', 'ff'), row('/b')], count: 1_200, revision: 40, next: utf8('/b') };
  }
  async deleteKeys(keys: Uint8Array[], expect?: number) {
    this.calls.push(['keys', keys.length, expect]);
    if (this.failure !== null) throw this.failure;
    return { deleted: keys.length, revision: 41 };
  }
  async deletePrefix(prefix: Uint8Array) {
    this.calls.push(['prefix', prefix]);
    return { deleted: 1_200, revision: 41 };
  }
}

describe('a delete', () => {
  test('of one key demands that it is as it was shown', async () => {
    const port = new Deletes();
    const plan = new DeletePlan({ kind: 'keys', rows: [row('a')] }, port);
    await plan.check();
    expect([plan.phase, plan.count]).toEqual(['ready', 1]);
    expect(await plan.run()).toEqual({ deleted: 1, revision: 41 });
    expect(port.calls).toEqual([['keys', 1, 7]]);
  });

  test('of several tells their number, a sample and the leases', async () => {
    const port = new Deletes();
    const rows = Array.from({ length: 20 }, (_, i) => row(`k${i}`, i < 3 ? 'ff' : null));
    const plan = new DeletePlan({ kind: 'keys', rows }, port);
    await plan.check();
    expect([plan.count, plan.sample.length, plan.onLease]).toEqual([20, SAMPLE_ROWS, 3]);
    await plan.run();
    expect(port.calls).toEqual([['keys', 20, undefined]]);
  });

  test('of a prefix reads how many there are before it may run', async () => {
    const port = new Deletes();
    const plan = new DeletePlan({ kind: 'prefix', prefix: utf8('/') }, port);
    expect(await plan.run()).toBeNull();
    expect(port.calls).toEqual([]);
    await plan.check();
    expect([plan.count, plan.checkedAt, plan.onLease]).toEqual([1_200, 40, 1]);
    expect(await plan.run()).toMatchObject({ deleted: 1_200 });
  });

  test('whose figures could not be read does not run', async () => {
    const port = new Deletes();
    port.failure = new Error('no leader');
    const plan = new DeletePlan({ kind: 'prefix', prefix: utf8('/') }, port);
    await plan.check();
    expect(plan.phase).toBe('failed');
    port.failure = null;
    expect(await plan.run()).toBeNull();
    expect(port.calls).toEqual([]);
    await plan.check();
    expect(await plan.run()).toMatchObject({ deleted: 1_200 });
  });

  test('that fails says so and may be tried again', async () => {
    const port = new Deletes();
    port.failure = new Error('no leader');
    const plan = new DeletePlan({ kind: 'keys', rows: [row('a')] }, port);
    await plan.check();
    expect(await plan.run()).toBeNull();
    expect([plan.phase, plan.error]).toEqual(['failed', port.failure]);
    port.failure = null;
    expect(await plan.run()).toMatchObject({ deleted: 1 });
  });
});

describe('a new key', () => {
  test('is refused before it is sent where it cannot be right', async () => {
    let sent = 0;
    const form = new CreateForm(async () => ({ revision: ++sent }), utf8);
    expect(await form.submit()).toBe('refused');
    expect(form.problem('key')?.kind).toBe('empty');
    form.key = 'a';
    form.value = 'x'.repeat(MAX_VALUE_BYTES + 1);
    form.lease = 'nope';
    expect(await form.submit()).toBe('refused');
    expect(form.problem('value')?.kind).toBe('tooLarge');
    expect(form.problem('lease')?.kind).toBe('notHex');
    expect(sent).toBe(0);
    form.value = 'v';
    form.lease = '0xAB';
    expect(await form.submit()).toBe('created');
  });

  test('does not write over one that exists, and names it', async () => {
    const conflict = new ContractCallError('Conflict', 'exists');
    let failure: Error = conflict;
    const form = new CreateForm(() => Promise.reject(failure), utf8, '/a');
    expect(await form.submit()).toBe('exists');
    expect(form.existing).toEqual(utf8('/a'));
    failure = new Error('no leader');
    expect(await form.submit()).toBe('failed');
    expect([form.existing, form.error, form.saving]).toEqual([null, failure, false]);
  });
});

test('the key that is looked at: the newest opened wins, and a key may be gone', async () => {
  const waiting = new Map<string, (detail: KeyDetail | null) => void>();
  const open = new OpenKey(
    (key) => new Promise((resolve) => waiting.set(new TextDecoder().decode(key), resolve)),
  );
  const first = open.open(utf8('a'));
  const second = open.open(utf8('b'));
  const detail = { ...row('b'), value: utf8('v'), valueBytes: 1, leaseTtl: null, revision: 9 };
  waiting.get('b')?.(detail);
  waiting.get('a')?.(null);
  await Promise.all([first, second]);
  expect(open.state).toEqual({ kind: 'ready', detail });
  const again = open.reload();
  expect(open.detail).toBe(detail);
  waiting.get('b')?.(null);
  await again;
  expect(open.state).toEqual({ kind: 'gone' });
});
