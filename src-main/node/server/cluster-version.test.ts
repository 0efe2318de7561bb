import { describe, expect, it } from 'vitest';
import { compareVersions, versionToPropose } from './cluster-version.ts';

function propose(versions: (string | undefined)[], agreed?: string, strict = false) {
  return versionToPropose({
    members: versions.map((_, i) => ({ ID: BigInt(i) })),
    agreed,
    strict,
    versionOf: (id) => versions[Number(id)],
  });
}

describe('the version of a fresh cluster', () => {
  it('is the lowest of those that are there', () => {
    expect(propose(['3.6.0', '3.5.0', undefined])).toBe('3.5.0');
  });

  it('waits for every member if capability is strict', () => {
    expect(propose(['3.5.0', '3.5.0', undefined], undefined, true)).toBeUndefined();
    expect(propose(['3.5.0', '3.5.0', '3.4.0'], undefined, true)).toBe('3.4.0');
  });
});

describe('the version of a cluster that has one', () => {
  it('stays, whoever is lost', () => {
    expect(propose(['3.5.0', undefined, undefined], '3.5.0', true)).toBeUndefined();
    expect(propose(['3.5.0', '3.4.0'], '3.5.0')).toBeUndefined();
  });

  it('is raised once all members can', () => {
    expect(propose(['3.6.0', undefined], '3.5.0')).toBeUndefined();
    expect(propose(['3.6.0', '3.10.0'], '3.5.0')).toBe('3.6.0');
  });
});

it('compares by numbers', () => {
  expect(compareVersions('3.10.0', '3.9.0')).toBeGreaterThan(0);
  expect(compareVersions('3.5', '3.5.0')).toBe(0);
});
