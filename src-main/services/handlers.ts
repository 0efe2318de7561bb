import type { NoteTopic } from '../contract/notes.ts';
import type { AppInfo } from '../contract/views.ts';
import type { ClustersService } from './clusters.ts';
import { followReads } from './consistency.ts';
import type { CallHandlers, Handlers, StreamHandlers } from './dispatcher.ts';
import { testEndpoints } from './endpoint-test.ts';
import { keyDeletions, keyHistory } from './key-history.ts';
import { keyLevel } from './key-level.ts';
import { countKeys, deleteKeyRange, deleteKeys, getKey, listKeys, putKey } from './keys.ts';
import { LogFollower, weighLogLines } from './logs.ts';
import type { OwnNotes } from './notes-own.ts';
import type { NotesTrials } from './notes-trials.ts';
import type { ScenarioService } from './scenarios/service.ts';
import type { SettingsService } from './settings.ts';
import { openSnapshot, weighSnapshotItem } from './snapshot-download.ts';
import { openSpaceScan } from './space-scan.ts';
import { compactionEffect, compareHashes } from './storage-checks.ts';
import { openWatch, weighWatchItem } from './watch.ts';

export interface Services {
  info: AppInfo;
  settings: SettingsService;
  clusters: ClustersService;
  notes: () => Promise<NoteTopic[]>;
  scenarios: ScenarioService;
  ownNotes: OwnNotes;
  trials: NotesTrials;
}

/** Every name of the contract and who answers it. */
export function createHandlers(services: Services): Handlers {
  return { calls: callHandlers(services), streams: streamHandlers(services) };
}

function callHandlers(services: Services): CallHandlers {
  const { info, settings, clusters, notes, ownNotes, scenarios } = services;
  const etcd = (input: { clusterId: string }) => clusters.get(input.clusterId).etcd;
  const leases = (input: { clusterId: string }) => clusters.get(input.clusterId).leases;
  const storage = (input: { clusterId: string }) => clusters.get(input.clusterId).storage;
  const nodes = (input: { clusterId: string }) => clusters.supervisor(input.clusterId);
  return {
    'app.info': () => info,
    'settings.get': () => settings.get(),
    'settings.set': (input) => settings.set(input),

    'clusters.list': () => clusters.list(),
    'clusters.createLocal': (input) => clusters.createLocal(input),
    'clusters.addRemote': (input) => clusters.addRemote(input),
    'clusters.rename': (input) => clusters.rename(input.clusterId, input.name),
    'clusters.remove': (input) => done(clusters.remove(input.clusterId, input.deleteData)),
    'clusters.testEndpoints': (input) => testEndpoints(input.endpoints),
    'clusters.start': (input) => done(clusters.start(input.clusterId)),
    'clusters.stop': (input) => done(clusters.stop(input.clusterId)),

    'nodes.start': (input) => done(nodes(input).startNode(input.node)),
    'nodes.stop': (input) => done(nodes(input).stopNode(input.node)),
    'nodes.kill': (input) => done(nodes(input).killNode(input.node)),
    'nodes.restart': (input) => done(nodes(input).restartNode(input.node)),
    'nodes.pause': async (input) => {
      nodes(input).pauseNode(input.node);
      return {};
    },
    'nodes.resume': async (input) => {
      nodes(input).resumeNode(input.node);
      return {};
    },

    'faults.set': (input) => done(clusters.get(input.clusterId).raft.setFaults(input)),
    'faults.heal': (input) => done(clusters.get(input.clusterId).raft.heal()),

    'keys.list': (input, context) => listKeys(etcd(input), input, context),
    'keys.level': (input, context) => keyLevel(etcd(input), input, context),
    'keys.count': (input, context) => countKeys(etcd(input), input, context),
    'keys.get': (input, context) => getKey(etcd(input), input, context),
    // A write under way is not cancelled: nobody would know whether it happened.
    'keys.put': (input) => putKey(etcd(input), input, {}),
    'keys.delete': (input) => deleteKeys(etcd(input), input, {}),
    'keys.deleteRange': (input) => deleteKeyRange(etcd(input), input, {}),
    'keys.history': (input, context) => keyHistory(etcd(input), input, context),
    'keys.deletions': (input, context) => keyDeletions(etcd(input), input, context),

    'leases.grant': (input) => leases(input).grant(input),
    'leases.revoke': (input) => leases(input).revoke(input),
    'leases.renew': (input) => leases(input).renew(input),
    'leases.keepAlive': (input) => leases(input).keepAlive(input),
    'leases.keys': (input) => leases(input).keys(input),
    'leases.ttl': (input) => leases(input).ttl(input),

    'storage.compact': (input) => storage(input).compact(input),
    'storage.defragment': (input) => storage(input).defragment(input),
    'storage.disarm': (input) => storage(input).disarm(input),
    'storage.compactionEffect': (input, context) =>
      compactionEffect(etcd(input), clusters.get(input.clusterId).storage, input, context),
    'storage.timeline': (input) => storage(input).timeline(),
    'storage.hashes': (input, context) => compareHashes(clusters.get(input.clusterId), context),

    'notes.list': () => notes(),
    'notes.own': () => ownNotes.list(),
    'notes.setOwn': (input) => ownNotes.set(input),

    'scenarios.list': () => scenarios.list(),
  };
}

function streamHandlers({ clusters, scenarios, trials }: Services): StreamHandlers {
  return {
    'clusters.follow': {
      mode: 'latest',
      open: (_, sink) => clusters.follow((list) => sink.push(list)),
    },
    'cluster.overview': {
      mode: 'latest',
      open: ({ clusterId }, sink) =>
        clusters.get(clusterId).monitor.follow((overview) => sink.push(overview)),
    },
    'watch.open': {
      mode: 'queue',
      weigh: weighWatchItem,
      open: (input, sink) => {
        const cluster = clusters.get(input.clusterId);
        return openWatch(cluster.etcd, input, sink, (endpoint) => cluster.nodeName(endpoint));
      },
    },
    'leases.follow': {
      mode: 'latest',
      open: ({ clusterId, limit }, sink) => clusters.get(clusterId).leases.follow(limit, sink),
    },
    'raft.follow': {
      mode: 'latest',
      open: ({ clusterId }, sink) => clusters.get(clusterId).raft.follow(sink),
    },
    'scenarios.play': {
      mode: 'latest',
      open: ({ clusterId, ...play }, sink) => scenarios.play(clusters.get(clusterId), play, sink),
    },
    'consistency.follow': {
      mode: 'latest',
      open: ({ clusterId, key }, sink) => followReads(clusters.get(clusterId), key, sink),
    },
    'storage.follow': {
      mode: 'latest',
      open: ({ clusterId }, sink) => clusters.get(clusterId).storage.follow(sink),
    },
    'storage.space': {
      mode: 'latest',
      open: ({ clusterId, prefix }, sink) =>
        openSpaceScan(clusters.get(clusterId).etcd, prefix, sink),
    },
    'storage.snapshot': {
      mode: 'queue',
      weigh: weighSnapshotItem,
      open: ({ clusterId, node }, sink) => openSnapshot(clusters.get(clusterId), node, sink),
    },
    'logs.follow': {
      mode: 'queue',
      weigh: weighLogLines,
      open: ({ clusterId, tail }, sink) =>
        new LogFollower(clusters.supervisor(clusterId), tail, sink),
    },
    'notes.try': { mode: 'queue', open: (input, sink) => trials.open(input, sink) },
  };
}

async function done(work: Promise<void>): Promise<Record<string, never>> {
  await work;
  return {};
}
