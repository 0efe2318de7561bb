import { z } from 'zod';
import { bytes, clusterId, hexId, inCluster, keyBytes, revision } from './fields.ts';
import { KEY_LEVEL_INPUTS, type KeyLevelOutputs } from './keys-level.ts';
import { NOTES_CALL_INPUTS, type NotesCallOutputs } from './notes.ts';
import type { ScenarioInfo } from './scenarios.ts';
import { type StorageToolOutputs, storageToolCalls } from './storage-tools.ts';
import type {
  AppInfo,
  ClusterSummary,
  EndpointTest,
  KeyDetail,
  KeyHistoryPage,
  KeyPage,
  Settings,
} from './views.ts';

export { clusterId, hexId, keyBytes, MAX_KEY_BYTES, revision } from './fields.ts';

/** etcd's default request limit; a value larger than this is refused before it is sent. */
export const MAX_VALUE_BYTES = 1.5 * 1024 * 1024;
export const MAX_PAGE_ROWS = 5_000;
/** Each version of a key costs a request to the cluster. */
export const MAX_HISTORY_PAGE = 100;

const nodeName = z.string().min(1).max(128);
const clusterName = z.string().trim().min(1).max(64);
const endpoint = z
  .string()
  .trim()
  .regex(
    /^(https?:\/\/)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/,
    'host:port, optionally with http:// or https://',
  );
const endpoints = z.array(endpoint).min(1).max(32);
const none = z.object({}).strict();

const linkFault = z
  .object({
    peer: nodeName,
    cutOutgoing: z.boolean().default(false),
    cutIncoming: z.boolean().default(false),
    delayMs: z.number().int().min(0).max(60_000).default(0),
    lossPerMille: z.number().int().min(0).max(1_000).default(0),
  })
  .strict();
const diskFault = z
  .object({
    syncDelayMs: z.number().int().min(0).max(60_000).default(0),
    error: z.enum(['none', 'full', 'broken']).default('none'),
  })
  .strict()
  .default({ syncDelayMs: 0, error: 'none' });

/** Half-open [key, rangeEnd); no rangeEnd is the one key, a rangeEnd of one zero byte is to the end of the key space. */
const range = { key: keyBytes, rangeEnd: keyBytes.optional() };

export const localClusterInput = z
  .object({
    name: clusterName,
    nodes: z.union([z.literal(1), z.literal(3), z.literal(5), z.literal(7)]),
    basePort: z.number().int().min(1024).max(65_000).optional(),
    quotaBytes: z.number().int().positive().optional(),
    /** A snapshot on this machine that it begins with; an absolute path. */
    restoreFrom: z.string().min(1).max(4_096).optional(),
    start: z.boolean().default(true),
  })
  .strict();

/** Every call: the input's schema and, as a type, its output. Nothing crosses that is not here. */
export const CALL_INPUTS = {
  ...KEY_LEVEL_INPUTS,
  'app.info': none,
  'settings.get': none,
  'settings.set': z
    .object({
      theme: z.enum(['system', 'light', 'dark']).optional(),
      language: z.enum(['system', 'en', 'zh']).optional(),
      density: z.enum(['compact', 'comfortable']).optional(),
    })
    .strict(),

  'clusters.list': none,
  'clusters.createLocal': localClusterInput,
  'clusters.addRemote': z.object({ name: clusterName, endpoints }).strict(),
  'clusters.rename': inCluster({ name: clusterName }),
  /** A remote one is forgotten; a local one is stopped, and its data deleted if asked. */
  'clusters.remove': inCluster({ deleteData: z.boolean() }),
  'clusters.testEndpoints': z.object({ endpoints }).strict(),
  'clusters.start': inCluster({}),
  'clusters.stop': inCluster({}),

  'nodes.start': inCluster({ node: nodeName }),
  'nodes.stop': inCluster({ node: nodeName }),
  'nodes.kill': inCluster({ node: nodeName }),
  'nodes.restart': inCluster({ node: nodeName }),
  /** SIGSTOP and SIGCONT: as on a machine that hangs. */
  'nodes.pause': inCluster({ node: nodeName }),
  'nodes.resume': inCluster({ node: nodeName }),

  /** Replaces what is wrong on purpose with these members; the others keep theirs. */
  'faults.set': inCluster({
    nodes: z
      .array(
        z.object({ node: nodeName, links: z.array(linkFault).max(64), disk: diskFault }).strict(),
      )
      .min(1)
      .max(64),
    /** All of it ends by itself after so long; absent: not by itself. */
    durationMs: z.number().int().min(1).max(3_600_000).optional(),
  }),
  /** Nothing is wrong with any member any more; those that are paused go on. */
  'faults.heal': inCluster({}),

  'keys.list': inCluster({
    prefix: keyBytes,
    /** Resume after this key. */
    after: keyBytes.optional(),
    limit: z.number().int().min(1).max(MAX_PAGE_ROWS),
    /** 0 or absent: now. */
    revision: revision.optional(),
  }),
  'keys.count': inCluster({ ...range, revision: revision.optional() }),
  'keys.get': inCluster({ key: keyBytes, revision: revision.optional() }),
  'keys.put': inCluster({
    key: keyBytes.refine((k) => k.length > 0, 'a key has at least one byte'),
    value: bytes(MAX_VALUE_BYTES),
    /** null detaches; absent keeps the lease it has. */
    lease: hexId.nullable().optional(),
    /** Compare-and-swap: 0 demands that the key does not exist. Absent overwrites. */
    expectModRevision: revision.optional(),
  }),
  'keys.delete': inCluster({
    keys: z.array(keyBytes).min(1).max(1_000),
    /** For a single key: only if it is still at this revision. */
    expectModRevision: revision.optional(),
  }),
  'keys.deleteRange': inCluster(range),
  /** Versions of a key, newest first, below `before` or from now. */
  'keys.history': inCluster({
    key: keyBytes.refine((k) => k.length > 0, 'a key has at least one byte'),
    before: revision.optional(),
    limit: z.number().int().min(1).max(MAX_HISTORY_PAGE),
  }),
  /** Revisions at which a key was deleted: the server replays its history for it. */
  'keys.deletions': inCluster({
    key: keyBytes.refine((k) => k.length > 0, 'a key has at least one byte'),
  }),

  'leases.grant': inCluster({
    ttl: z.number().int().min(1).max(9_000_000_000),
    id: hexId.optional(),
  }),
  'leases.revoke': inCluster({ ids: z.array(hexId).min(1).max(1_000) }),
  /** One renewal now. */
  'leases.renew': inCluster({ id: hexId }),
  /** Keep alive from this app, until switched off or the app ends. */
  'leases.keepAlive': inCluster({ id: hexId, on: z.boolean() }),
  'leases.keys': inCluster({ id: hexId }),
  /** How long it lasts still, without its keys. */
  'leases.ttl': inCluster({ id: hexId }),

  'storage.compact': inCluster({ revision: revision.min(1), physical: z.boolean() }),
  'storage.defragment': inCluster({ node: nodeName }),
  ...storageToolCalls(clusterId),
  'storage.disarm': inCluster({ memberId: hexId, type: z.enum(['NOSPACE', 'CORRUPT']) }),

  'scenarios.list': none,
  ...NOTES_CALL_INPUTS,
} as const;

export interface CallOutputs extends NotesCallOutputs, StorageToolOutputs, KeyLevelOutputs {
  'app.info': AppInfo;
  'settings.get': Settings;
  'settings.set': Settings;
  'clusters.list': ClusterSummary[];
  'clusters.createLocal': ClusterSummary;
  'clusters.addRemote': ClusterSummary;
  'clusters.rename': ClusterSummary;
  'clusters.remove': Record<string, never>;
  'clusters.testEndpoints': EndpointTest[];
  'clusters.start': Record<string, never>;
  'clusters.stop': Record<string, never>;
  'nodes.start': Record<string, never>;
  'nodes.stop': Record<string, never>;
  'nodes.kill': Record<string, never>;
  'nodes.restart': Record<string, never>;
  'nodes.pause': Record<string, never>;
  'nodes.resume': Record<string, never>;
  'faults.set': Record<string, never>;
  'faults.heal': Record<string, never>;
  'keys.list': KeyPage;
  'keys.count': { count: number; revision: number };
  'keys.get': KeyDetail | null;
  'keys.put': { revision: number };
  'keys.delete': { deleted: number; revision: number };
  'keys.deleteRange': { deleted: number; revision: number };
  'keys.history': KeyHistoryPage;
  'keys.deletions': {
    /** Newest first. */
    revisions: number[];
    /** What came before this is not known; 0: nothing was compacted. */
    compactedAt: number;
    /** False: there were too many, or the search took too long. */
    isComplete: boolean;
  };
  'leases.grant': { id: string; ttl: number };
  'leases.revoke': { revoked: number };
  'leases.renew': { ttl: number };
  'leases.keepAlive': { on: boolean };
  'leases.keys': { ttl: number; grantedTtl: number; keys: Uint8Array[] };
  /** Seconds; null: the lease has ended. */
  'leases.ttl': { ttl: number; grantedTtl: number } | null;
  'storage.compact': { revision: number };
  'storage.defragment': { beforeBytes: number; afterBytes: number };
  'storage.disarm': Record<string, never>;
  'scenarios.list': ScenarioInfo[];
}

export type CallName = keyof typeof CALL_INPUTS;
/** What a caller passes: defaults may be left out. */
export type CallInput<N extends CallName> = z.input<(typeof CALL_INPUTS)[N]>;
/** What the handler gets, after validation. */
export type CallParsed<N extends CallName> = z.output<(typeof CALL_INPUTS)[N]>;
export type CallOutput<N extends CallName> = CallOutputs[N];
