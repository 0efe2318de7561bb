/**
 * Names of fields that differ between any two clusters, in the spelling of etcdctl and of our
 * codecs.
 */
const VOLATILE = new Set([
  'cluster_id',
  'member_id',
  'raft_term',
  'clusterId',
  'memberId',
  'raftTerm',
  'dbSize',
  'dbSizeInUse',
  'leader',
  'raftIndex',
  'raftAppliedIndex',
  'Endpoint',
]);

/**
 * Names of fields that hold a revision. They are compared relative to the revision that a case
 * began with.
 */
const REVISIONS = new Set([
  'revision',
  'create_revision',
  'mod_revision',
  'createRevision',
  'modRevision',
  'compactRevision',
  'CompactRevision',
  'rev',
]);

/**
 * Plain data out of an answer: bytes as text, ids as decimal text, volatile fields masked,
 * revisions relative.
 */
export function mask(value: unknown, baseRevision: number): unknown {
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map((item) => mask(item, baseRevision));
  if (typeof value !== 'object' || value === null) return value;
  const masked: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined) continue;
    masked[name] = maskField(name, field, baseRevision);
  }
  return masked;
}

function maskField(name: string, field: unknown, baseRevision: number): unknown {
  if (VOLATILE.has(name)) return '<volatile>';
  if (REVISIONS.has(name) && typeof field === 'number' && field > 0) {
    return `<base${field < baseRevision ? '' : '+'}${field - baseRevision}>`;
  }
  return mask(field, baseRevision);
}
