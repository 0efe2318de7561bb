import { z } from 'zod';
import { clusterId, keyBytes, revision } from './calls.ts';
import { NOTES_STREAM_INPUTS, type NotesStreamItems } from './notes-trial.ts';
import type { ConsistencyView, ScenarioProgress } from './scenarios.ts';
import { type StorageToolItems, storageToolStreams } from './storage-tools.ts';
import type {
  ClusterOverview,
  ClusterSummary,
  LeaseList,
  LogLine,
  RaftView,
  StorageView,
  WatchItem,
} from './views.ts';

/** Every stream: the input's schema and, as a type, its item. */
export const STREAM_INPUTS = {
  /** The whole list, at once and after every change. */
  'clusters.follow': z.object({}).strict(),
  /** The whole overview, at once, after every change of a node and about once a second. */
  'cluster.overview': z.object({ clusterId }).strict(),
  'watch.open': z
    .object({
      clusterId,
      key: keyBytes,
      rangeEnd: keyBytes.optional(),
      /** 0 or absent: from now. */
      startRevision: revision.optional(),
      prevValue: z.boolean().default(true),
      /** Absent: both. The server leaves the others out. */
      only: z.enum(['put', 'delete']).optional(),
      /** Events come as `batch` instead of `events`, several arrivals in one. */
      packed: z.boolean().default(false),
    })
    .strict(),
  /** About once a second. `limit` bounds the rows; the soonest to expire come first. */
  'leases.follow': z
    .object({ clusterId, limit: z.number().int().min(1).max(10_000).default(1_000) })
    .strict(),
  /** Raft of every member, about twice a second. */
  'raft.follow': z.object({ clusterId }).strict(),
  /** Plays it on a local cluster until it is done, or the stream is closed. */
  'scenarios.play': z
    .object({
      clusterId,
      scenario: z.string().max(64),
      /** Rest after each step, so that people can follow. */
      pauseMs: z.number().int().min(0).max(10_000).default(0),
    })
    .strict(),
  /** One key, read from every member in both ways, about twice a second. */
  'consistency.follow': z
    .object({ clusterId, key: keyBytes.refine((k) => k.length > 0, 'a key has at least one byte') })
    .strict(),
  /** About every two seconds. */
  'storage.follow': z.object({ clusterId }).strict(),
  ...storageToolStreams(clusterId),
  /** The last `tail` lines of each node, then what is written. */
  'logs.follow': z
    .object({ clusterId, tail: z.number().int().min(0).max(5_000).default(500) })
    .strict(),
  ...NOTES_STREAM_INPUTS,
} as const;

export interface StreamItems extends NotesStreamItems, StorageToolItems {
  'clusters.follow': ClusterSummary[];
  'cluster.overview': ClusterOverview;
  'watch.open': WatchItem;
  'leases.follow': LeaseList;
  'raft.follow': RaftView;
  'scenarios.play': ScenarioProgress;
  'consistency.follow': ConsistencyView;
  'storage.follow': StorageView;
  'logs.follow': LogLine[];
}

export type StreamName = keyof typeof STREAM_INPUTS;
export type StreamInput<N extends StreamName> = z.input<(typeof STREAM_INPUTS)[N]>;
export type StreamParsed<N extends StreamName> = z.output<(typeof STREAM_INPUTS)[N]>;
export type StreamItem<N extends StreamName> = StreamItems[N];
