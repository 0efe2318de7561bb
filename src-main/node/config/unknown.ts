import { ConfigError } from './errors.ts';
import { FLAGS, VARIABLE_PREFIX, variableOf } from './flags.ts';

/** Flags of etcd 3.4 and 3.5 that this node does not have, by what they are about. */
const ETCD_ONLY: Readonly<Record<string, readonly string[]>> = {
  TLS: [
    'cert-file key-file client-cert-auth client-crl-file client-cert-allowed-hostname',
    'trusted-ca-file auto-tls peer-cert-file peer-key-file peer-client-cert-auth',
    'peer-trusted-ca-file peer-cert-allowed-cn peer-cert-allowed-hostname peer-auto-tls',
    'peer-crl-file cipher-suites self-signed-cert-validity tls-min-version tls-max-version',
    'experimental-peer-skip-client-san-verification ca-file peer-ca-file',
  ],
  Authentication: ['auth-token bcrypt-cost auth-token-ttl'],
  Discovery: [
    'discovery discovery-fallback discovery-proxy discovery-srv discovery-srv-name',
    'discovery-token discovery-endpoints',
  ],
  'The v2 proxy': [
    'proxy proxy-failure-wait proxy-refresh-interval proxy-dial-timeout proxy-write-timeout',
    'proxy-read-timeout',
  ],
  'The v2 API': ['enable-v2 experimental-enable-v2v3 v2-deprecation'],
  'The JSON gateway': ['enable-grpc-gateway cors host-whitelist'],
  'This kind of monitoring': [
    'enable-pprof metrics listen-metrics-urls experimental-enable-distributed-tracing',
    'experimental-distributed-tracing-address experimental-distributed-tracing-service-name',
    'experimental-distributed-tracing-instance-id',
    'experimental-distributed-tracing-sampling-rate experimental-warning-apply-duration',
    'experimental-warning-unary-request-duration warning-unary-request-duration',
  ],
  'This way of logging': ['debug log-package-levels enable-log-rotation log-rotation-config-json'],
  'A tuning of this kind': [
    'backend-batch-interval backend-batch-limit backend-bbolt-freelist-type grpc-keepalive-min-time',
    'experimental-backend-bbolt-freelist-type grpc-keepalive-interval grpc-keepalive-timeout',
    'max-concurrent-streams socket-reuse-port socket-reuse-address initial-election-tick-advance',
    'experimental-bootstrap-defrag-threshold-megabytes experimental-memory-mlock',
    'experimental-snapshot-catchup-entries experimental-txn-mode-write-with-shared-buffer',
    'experimental-stop-grpc-service-on-defrag experimental-enable-lease-checkpoint',
    'experimental-enable-lease-checkpoint-persist experimental-downgrade-check-time',
  ],
  'This way to start': ['config-file force-new-cluster wal-dir unsafe-no-fsync'],
};

/** Read by etcd, but no setting; node-args of the supervisor lets it pass for older etcds. */
const NO_SETTINGS = new Set([variableOf('unsupported-arch')]);
/** A name that is further off is no slip of the pen. */
const MAX_DISTANCE = 3;

export function unknownFlag(name: string): ConfigError {
  return new ConfigError(
    `unknown flag --${name}`,
    hint(name, (known) => `--${known}`),
  );
}

export function unknownVariable(variable: string): ConfigError {
  const name = variable.slice(VARIABLE_PREFIX.length).toLowerCase().replaceAll('_', '-');
  const more = hint(name, variableOf);
  return new ConfigError(
    `unknown environment variable ${variable}`,
    `${more} Unset it: ${VARIABLE_PREFIX}* variables are settings of the node.`,
  );
}

export function isNoSetting(variable: string): boolean {
  return NO_SETTINGS.has(variable);
}

function hint(name: string, spell: (known: string) => string): string {
  const about = Object.entries(ETCD_ONLY).find(([, names]) =>
    names.some((line) => line.split(' ').includes(name)),
  );
  if (about !== undefined) return `It is etcd's. ${about[0]} is not supported here.`;
  const near = nearest(name);
  return near === undefined ? 'See raftdeck node --help.' : `Did you mean ${spell(near)}?`;
}

function nearest(name: string): string | undefined {
  const ranked = Object.keys(FLAGS)
    // The distance is at least that of the lengths; to count it for a very long name would take long.
    .filter((known) => Math.abs(known.length - name.length) <= MAX_DISTANCE)
    .map((known) => ({ known, distance: editDistance(name, known) }))
    .filter(({ known, distance }) => distance <= Math.min(MAX_DISTANCE, known.length / 2))
    .sort((a, b) => a.distance - b.distance);
  // Flags that left etcd's experiments are asked for by their new names, and the other way round.
  const renamed = [`experimental-${name}`, name.replace(/^experimental-/, '')];
  return renamed.find((known) => Object.hasOwn(FLAGS, known)) ?? ranked[0]?.known;
}

/** Levenshtein's: insertions, deletions and replacements from one to the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}
