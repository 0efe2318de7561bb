/**
 * A local cluster as it is written down: <clusterDir>/cluster.json, for example
 *
 *     { "schemaVersion": 1, "id": "dev", "name": "dev", "token": "dev-5f0c…",
 *       "engine": { "kind": "bundled" },
 *       "nodes": [{ "name": "n1", "clientPort": 24790, "peerPort": 24791,
 *                   "dataDir": "nodes/n1/data" }],
 *       "timing": { "heartbeatMs": 50, "electionMs": 300 },
 *       "quotaBytes": 2147483648, "autoCompaction": null, "snapshotCount": 10000,
 *       "createdAt": "2026-11-22T10:00:00.000Z" }
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { CodedError, errorMessage } from '../base/errors.ts';
import { systemErrorCode, writeFileAtomic } from './atomic-file.ts';
import type { SupervisorErrorCode } from './errors.ts';
import { MAX_NODES } from './limits.ts';

export const DEFINITION_FILE = 'cluster.json';
export const SCHEMA_VERSION = 1;
/** etcd's default backend quota. */
export const DEFAULT_QUOTA_BYTES = 2 * 1024 * 1024 * 1024;
/** etcd's default since 3.6: applied entries between two snapshots. */
export const DEFAULT_SNAPSHOT_COUNT = 10_000;
/** etcd's defaults, for links with real latency. */
export const ETCD_TIMING: Timing = { heartbeatMs: 100, electionMs: 1_000 };
/**
 * On one machine a round trip takes well under a millisecond, so a lost leader is replaced in well
 * under a second. etcd demands an election time-out of at least five heartbeats.
 */
export const LOCAL_TIMING: Timing = { heartbeatMs: 50, electionMs: 300 };
const MIN_ELECTION_HEARTBEATS = 5;

const port = z.number().int().min(1).max(65_535);

const nodeSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/),
  clientPort: port,
  peerPort: port,
  /** Relative to the cluster's folder, so that the folder can be moved; never outside of it. */
  dataDir: z
    .string()
    .min(1)
    .refine((path) => !isAbsolute(path) && !path.split(/[\\/]/).includes('..'), {
      message: 'must lie inside the cluster folder',
    }),
});

const timingSchema = z
  .strictObject({
    heartbeatMs: z.number().int().min(1).max(10_000),
    electionMs: z.number().int().min(10).max(50_000),
  })
  .refine((timing) => timing.electionMs >= MIN_ELECTION_HEARTBEATS * timing.heartbeatMs, {
    message: `electionMs must be at least ${MIN_ELECTION_HEARTBEATS} times heartbeatMs`,
  });

const engineSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('bundled') }),
  z.strictObject({ kind: z.literal('binary'), path: z.string().min(1) }),
]);

export const clusterDefinitionSchema = z
  .strictObject({
    schemaVersion: z.literal(SCHEMA_VERSION),
    id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
    name: z.string().trim().min(1).max(64),
    /** etcd's --initial-cluster-token: keeps members of two clusters apart. */
    token: z.string().min(1).max(128),
    engine: engineSchema,
    nodes: z.array(nodeSchema).min(1).max(MAX_NODES),
    timing: timingSchema,
    quotaBytes: z.number().int().positive(),
    /** etcd's pair of flags, e.g. periodic and "1h", or revision and "1000"; null is off. */
    autoCompaction: z
      .strictObject({ mode: z.enum(['periodic', 'revision']), retention: z.string().min(1) })
      .nullable(),
    snapshotCount: z.number().int().positive(),
    /** The snapshot that its nodes began with; they read it on their first start alone. */
    restoreFrom: z.string().refine(isAbsolute, 'must be absolute').optional(),
    createdAt: z.iso.datetime(),
  })
  .superRefine((definition, context) => {
    reportDuplicates(context, 'node name', 'name', definition.nodes, (node) => [node.name]);
    reportDuplicates(context, 'data folder', 'dataDir', definition.nodes, (n) => [n.dataDir]);
    reportDuplicates(context, 'port', 'port', definition.nodes, (n) => [n.clientPort, n.peerPort]);
  });

export type ClusterDefinition = z.infer<typeof clusterDefinitionSchema>;
export type NodeDefinition = z.infer<typeof nodeSchema>;
export type Engine = z.infer<typeof engineSchema>;
export type Timing = z.infer<typeof timingSchema>;

function reportDuplicates(
  context: z.RefinementCtx,
  what: string,
  field: string,
  nodes: NodeDefinition[],
  values: (node: NodeDefinition) => (string | number)[],
): void {
  const seen = new Set<string | number>();
  nodes.forEach((node, index) => {
    for (const value of values(node)) {
      if (seen.has(value)) {
        const message = `${what} ${value} is used twice`;
        context.addIssue({ code: 'custom', message, path: ['nodes', index, field] });
      }
      seen.add(value);
    }
  });
}

export interface NewCluster {
  id: string;
  name: string;
  nodes: number;
  /** Node i gets client port basePort + 2i and peer port basePort + 2i + 1. */
  basePort: number;
  engine?: Engine;
  timing?: Timing;
  quotaBytes?: number;
  autoCompaction?: ClusterDefinition['autoCompaction'];
  snapshotCount?: number;
  /** Absolute; for the bundled engine alone. */
  restoreFrom?: string;
}

/** Composes and checks a new definition; nothing is written. Throws DefinitionInvalid. */
export function composeDefinition(options: NewCluster): ClusterDefinition {
  const nodes = Array.from({ length: options.nodes }, (_, i) => ({
    name: `n${i + 1}`,
    clientPort: options.basePort + 2 * i,
    peerPort: options.basePort + 2 * i + 1,
    dataDir: `nodes/n${i + 1}/data`,
  }));
  return checkDefinition({
    schemaVersion: SCHEMA_VERSION,
    id: options.id,
    name: options.name,
    token: `${options.id}-${randomBytes(8).toString('hex')}`,
    engine: options.engine ?? { kind: 'bundled' },
    nodes,
    timing: options.timing ?? LOCAL_TIMING,
    quotaBytes: options.quotaBytes ?? DEFAULT_QUOTA_BYTES,
    autoCompaction: options.autoCompaction ?? null,
    snapshotCount: options.snapshotCount ?? DEFAULT_SNAPSHOT_COUNT,
    ...(options.restoreFrom === undefined ? {} : { restoreFrom: options.restoreFrom }),
    createdAt: new Date().toISOString(),
  });
}

/** Throws DefinitionInvalid with the first thing that is wrong. */
export function checkDefinition(value: unknown): ClusterDefinition {
  const parsed = clusterDefinitionSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CodedError<SupervisorErrorCode>(
    'DefinitionInvalid',
    `invalid cluster definition: ${firstIssue(parsed.error)}`,
  );
}

/**
 * Reads <clusterDir>/cluster.json; null where there is none. Throws DefinitionCorrupt or
 * DefinitionVersion naming the file. A file is never repaired or overwritten here.
 */
export async function readDefinition(clusterDir: string): Promise<ClusterDefinition | null> {
  const file = join(clusterDir, DEFINITION_FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw corrupt(file, errorMessage(error), error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw corrupt(file, `not valid JSON (${errorMessage(error)})`, error);
  }
  const version = schemaVersionOf(value);
  if (version !== null && version > SCHEMA_VERSION) {
    throw new CodedError<SupervisorErrorCode>(
      'DefinitionVersion',
      `${file} has schema version ${version}; this version of Raftdeck reads ${SCHEMA_VERSION}`,
      { hint: 'open it with the newer Raftdeck that wrote it' },
    );
  }
  const parsed = clusterDefinitionSchema.safeParse(value);
  if (!parsed.success) throw corrupt(file, firstIssue(parsed.error), parsed.error);
  return parsed.data;
}

/** Writes <clusterDir>/cluster.json atomically. The folder must exist. */
export async function writeDefinition(clusterDir: string, value: ClusterDefinition): Promise<void> {
  const text = `${JSON.stringify(checkDefinition(value), null, 2)}\n`;
  await writeFileAtomic(join(clusterDir, DEFINITION_FILE), text);
}

function schemaVersionOf(value: unknown): number | null {
  if (typeof value !== 'object' || value === null || !('schemaVersion' in value)) return null;
  return typeof value.schemaVersion === 'number' ? value.schemaVersion : null;
}

function corrupt(file: string, why: string, cause: unknown): CodedError<SupervisorErrorCode> {
  return new CodedError('DefinitionCorrupt', `${file} is not a cluster definition: ${why}`, {
    cause,
    hint: 'it was left untouched: repair it, or move it away to start anew',
  });
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'unknown problem';
  const path = issue.path.map(String).join('.');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}
