import { expect, test } from 'vitest';
import { FakeClient, summary } from '../testing/fake-client.ts';
import { type AppHost, AppState } from './app-state.svelte.ts';

const host: AppHost = {
  location: { hash: '#/c/c1/watch' },
  addEventListener: () => {},
  removeEventListener: () => {},
  localStorage: { getItem: () => null, setItem: () => {} },
  navigator: { platform: 'Linux', languages: ['en'] },
};

class Kept {
  disposed = false;
  readonly navCount = '3';
  dispose(): void {
    this.disposed = true;
  }
}

function appOf(): { app: AppState; fake: FakeClient } {
  const fake = new FakeClient();
  const client = Object.assign(fake, {
    state: 'open',
    onState: () => () => {},
  });
  return { app: new AppState(client.client, host, null), fake };
}

test('what a view keeps is made once, per cluster and view', () => {
  const { app } = appOf();
  const first = app.keep('c1', 'watch', () => new Kept());
  expect(app.keep('c1', 'watch', () => new Kept())).toBe(first);
  expect(app.keep('c2', 'watch', () => new Kept())).not.toBe(first);
  expect(app.keptOf('c1', 'watch')?.navCount).toBe('3');
  expect(app.keptOf('c1', 'keys')).toBeUndefined();
  app.dispose();
  expect(first.disposed).toBe(true);
});

test('it ends with its cluster, but not before the list of clusters is known', () => {
  const { app, fake } = appOf();
  const [gone, stays] = ['gone', 'c1'].map((id) => app.keep(id, 'watch', () => new Kept()));
  app.releaseGone();
  expect(gone?.disposed).toBe(false);
  fake.lastStream('clusters.follow').push([summary({ id: 'c1' })]);
  app.releaseGone();
  expect([gone?.disposed, stays?.disposed]).toEqual([true, false]);
  expect(app.keptOf('gone', 'watch')).toBeUndefined();
  app.dispose();
});
