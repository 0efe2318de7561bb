import type { KeyValue, Operation } from '../history.ts';

/** One line that says what an operation did, when, and what came of it. */
export function describeOperation(operation: Operation): string {
  const { id, client, member, key, kind, invokedMs, returnedMs, outcome } = operation;
  const until = Number.isFinite(returnedMs) ? ms(returnedMs) : 'never';
  const asked = details(operation.input);
  const answered = outcome.ok ? details(outcome.output) : `${outcome.error} ${outcome.code}`;
  const about = key === '' ? kind : `${kind} ${JSON.stringify(key)}`;
  return `#${id} client ${client} at ${member} [${ms(invokedMs)}, ${until}] ${about}${asked === '' ? '' : ` ${asked}`} -> ${answered}`;
}

export function describeKv(kv: KeyValue | undefined): string {
  if (kv === undefined) return 'nothing';
  const { value, createRevision, modRevision, version, lease } = kv;
  const leased = lease === '0' ? '' : ` lease ${lease}`;
  return `${JSON.stringify(value)} (create ${createRevision} mod ${modRevision} version ${version}${leased})`;
}

function details(fields: object): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${JSON.stringify(value) ?? 'nothing'}`)
    .join(' ');
}

function ms(time: number): string {
  return `${Math.round(time * 1000) / 1000} ms`;
}
