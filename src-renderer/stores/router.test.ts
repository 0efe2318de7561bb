import { describe, expect, it } from 'vitest';
import { formatRoute, parseRoute, Router } from './router.svelte.ts';

class Host {
  location = { hash: '' };
  listener: () => void = () => {};
  addEventListener(_: string, listener: () => void): void {
    this.listener = listener;
  }
  removeEventListener(): void {
    this.listener = () => {};
  }
}

class Memory {
  readonly map = new Map<string, string>();
  getItem(key: string): string | null {
    return this.map.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.map.set(key, value);
  }
}

describe('routes', () => {
  it.each([
    ['#/', { kind: 'home' }],
    ['#/add', { kind: 'add' }],
    ['#/notes', { kind: 'notes' }],
    ['#/c/dev-1/keys', { kind: 'cluster', clusterId: 'dev-1', view: 'keys', params: {} }],
    [
      '#/c/dev/watch?key=%2Fa+b%3F&prefix=1',
      { kind: 'cluster', clusterId: 'dev', view: 'watch', params: { key: '/a b?', prefix: '1' } },
    ],
  ] as const)('%s', (hash, route) => {
    expect(parseRoute(hash)).toEqual(route);
    expect(formatRoute(parseRoute(hash))).toBe(hash);
  });

  it('an unknown view is the overview, anything else is home', () => {
    expect(parseRoute('#/c/dev/nope')).toMatchObject({ view: 'overview' });
    expect(parseRoute('#/c/dev')).toMatchObject({ view: 'overview' });
    expect(parseRoute('#/c/<script>/keys')).toEqual({ kind: 'home' });
    expect(parseRoute('')).toEqual({ kind: 'home' });
  });
});

describe('Router', () => {
  it('follows the address, and remembers the last cluster and view without its parameters', () => {
    const host = new Host();
    const memory = new Memory();
    const router = new Router(host, memory);
    router.toView('dev', 'keys', { prefix: '/a' });
    expect(host.location.hash).toBe('#/c/dev/keys?prefix=%2Fa');
    expect(router.route).toMatchObject({ view: 'keys', params: { prefix: '/a' } });
    host.location.hash = '#/add';
    host.listener();
    expect(router.route).toEqual({ kind: 'add' });
    const next = new Router(new Host(), memory);
    expect(next.route).toEqual({ kind: 'home' });
    expect(next.last).toEqual({ clusterId: 'dev', view: 'keys' });
  });
});
