import { expect, it } from 'vitest';
import * as contract from '../../src-main/contract/calls.ts';
import * as notes from '../../src-main/contract/notes.ts';
import * as limits from './limits.ts';

it('has the contract’s own limits', () => {
  expect(limits.MAX_KEY_BYTES).toBe(contract.MAX_KEY_BYTES);
  expect(limits.MAX_VALUE_BYTES).toBe(contract.MAX_VALUE_BYTES);
  expect(limits.MAX_PAGE_ROWS).toBe(contract.MAX_PAGE_ROWS);
  expect(limits.MAX_OWN_NOTE_CHARS).toBe(notes.MAX_OWN_NOTE_CHARS);
  const rename = contract.CALL_INPUTS['clusters.rename'];
  const named = (length: number) =>
    rename.safeParse({ clusterId: 'c', name: 'x'.repeat(length) }).success;
  expect(named(limits.MAX_CLUSTER_NAME_CHARS)).toBe(true);
  expect(named(limits.MAX_CLUSTER_NAME_CHARS + 1)).toBe(false);
  const test = contract.CALL_INPUTS['clusters.testEndpoints'];
  const endpoints = (count: number) =>
    test.safeParse({ endpoints: Array.from({ length: count }, () => 'a:1') }).success;
  expect(endpoints(limits.MAX_ENDPOINTS)).toBe(true);
  expect(endpoints(limits.MAX_ENDPOINTS + 1)).toBe(false);
});
