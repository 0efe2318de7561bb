import { expect } from 'vitest';
import { until } from '../support/cluster.ts';
import { compatSuite } from './support/compat.ts';
import { type GrpcClients, WatchCall, withClients } from './support/grpc.ts';
import { mask } from './support/mask.ts';
import { bytes, prefix } from './support/ops.ts';
import type { TargetName } from './support/targets.ts';

/** etcd adds up to a tenth. */
const INTERVAL_MS = 200;

compatSuite(
  'progress notifications',
  ['--experimental-watch-progress-notify-interval', `${INTERVAL_MS}ms`],
  (compat) => {
    compat('come to those who asked for them, with the revision at hand', (target) =>
      withClients(target, async (clients) => {
        const base = await clients.revision();
        return mask(await notifications(clients, base, target.name), base);
      }),
    );
  },
);

async function notifications(clients: GrpcClients, base: number, kind: TargetName) {
  const watch = new WatchCall(clients);
  const key = bytes('pn/a');
  watch.create({ key, watchId: 1, progressNotify: true });
  watch.create({ key, watchId: 2 });
  watch.create({ key, watchId: 3, progressNotify: true, startRevision: base + 50 });
  watch.create({ ...prefix('pn/'), watchId: 4, progressNotify: true, filters: [0] });
  await watch.responses(4);
  const revision = (await clients.set('pn/other', '1')).header?.revision as number;
  const notified = (id: number, at: number) =>
    watch.received.filter(
      ({ watchId, created, events, header }) =>
        watchId === id && !created && events.length === 0 && header?.revision === at,
    );
  await until('two for each', () => [1, 4].every((id) => notified(id, revision).length >= 2));
  const next = (await clients.set('pn/a', '2')).header?.revision as number;
  await until('the next one', () => [1, 4].every((id) => notified(id, next).length >= 1));
  watch.close();

  // The event comes before the progress that covers it.
  const first = watch.received.filter(({ watchId }) => watchId === 1);
  const event = first.findIndex(({ events }) => events.length > 0);
  expect(event).toBeGreaterThan(0);
  expect(first.indexOf(notified(1, next)[0] as never)).toBeGreaterThan(event);
  // Who did not ask hears nothing, nor does one that starts in the future (etcd: since 3.5.8).
  const silent = kind === 'raftdeck' ? [2, 3] : [2];
  const heard = watch.received.filter(
    ({ watchId, created }) => silent.includes(watchId) && !created,
  );
  expect(heard.map(({ watchId, events }) => [watchId, events.length])).toEqual([[2, 1]]);
  return [notified(1, revision)[0], notified(4, next)[0]];
}
