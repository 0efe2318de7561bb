import { isLoopbackHost, isSameOrigin } from '../../../src-main/hosts/browser/access.ts';
import { toRelativePath } from '../../../src-main/hosts/security/static-files.ts';
import { FLAGS } from '../../../src-main/node/config/flags.ts';
import { type NodeConfig, parseNodeFlags, parseUrl } from '../../../src-main/node/config.ts';
import { checkPeerUrls } from '../../../src-main/node/membership/urls.ts';
import { isLoopback, parseEndpoint } from '../../../src-main/remote/endpoint.ts';
import { parseMetrics } from '../../../src-main/services/metrics.ts';
import { oneOf } from '../mutate.ts';
import { Finding, refusedBy, type Target } from '../target.ts';
import { mutatedText } from '../text.ts';

const ARGUMENTS: readonly string[] = [
  '--name=m1',
  '--data-dir\n/tmp/m1',
  '--listen-client-urls=http://127.0.0.1:2379,http://[::1]:2379',
  '--initial-cluster=default=http://localhost:2380',
  '--initial-cluster=default=http://localhost:2380,b=http://10.0.0.2:2380,b=http://b:2380',
  '--initial-advertise-peer-urls=http://localhost:2380',
  '--heartbeat-interval=100',
  '--election-timeout\n1000',
  '--auto-compaction-retention=1h30m',
  '--auto-compaction-mode=revision',
  '--quota-backend-bytes=2147483648',
  '--experimental-corrupt-check-time=30s',
  '--pre-vote=false',
  '--strict-reconfig-check',
  '--log-level=debug',
  '--cert-file=x',
  'ETCD_NAME=m1',
  'ETCD_INITIAL_CLUSTER_STATE=existing',
  'ETCD_ELECTION_TIMEOUT=1000',
  ...Object.keys(FLAGS).map((name) => `--${name}=1`),
];

/** Everything the rest of a node takes for granted. */
function checkConfig(config: NodeConfig): void {
  for (const value of Object.values(config)) {
    if (typeof value === 'number' && !Number.isFinite(value)) throw new Finding(`it has ${value}`);
  }
  const urls = [config.listenClientUrls, config.listenPeerUrls, config.initialAdvertisePeerUrls];
  for (const url of urls.flat()) parseUrl(url);
  for (const { peerUrls } of config.initialCluster) for (const url of peerUrls) parseUrl(url);
}

/** A line each: flags, and variables that begin with ETCD_. */
export function flagsTarget(): Target {
  const seeds = ['', ...ARGUMENTS].map((text) => Buffer.from(text));
  return {
    seeds,
    generate(random) {
      const lines = Array.from({ length: 1 + random.below(5) }, () =>
        random.below(2) === 0 ? oneOf(random, ARGUMENTS) : mutatedText(random, ARGUMENTS),
      );
      return Buffer.from(lines.join('\n'));
    },
    run(input) {
      const lines = input.toString().split('\n');
      const isVariable = (line: string) => line.startsWith('ETCD_');
      const env = Object.fromEntries(
        lines.filter(isVariable).map((line) => {
          const at = line.indexOf('=');
          return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
        }),
      );
      const args = lines.filter((line) => line !== '' && !isVariable(line));
      // These print.
      if (args.some((arg) => /^--?(h|help|version)(=|$)/.test(arg))) return;
      let config: NodeConfig | undefined;
      try {
        config = parseNodeFlags(args, env);
      } catch (error) {
        if (error instanceof Error && error.constructor.name === 'ConfigError') return;
        throw error;
      }
      if (config !== undefined) checkConfig(config);
    },
  };
}

const TEXTS: readonly string[] = [
  ...['http://127.0.0.1:2380', 'http://[::1]:2380/', 'https://etcd-1.example.org:2379', 'a:1'],
  ...['127.0.0.1:8080', 'localhost', '[::1]:9', 'http://localhost:8080'],
  ...['/index.html', '/assets/app.js', '/a%20b/../c.css', '/%2e%2e/x.json'],
  'etcd_server_quota_backend_bytes 2.147483648e+09\netcd_debugging_mvcc_compact_revision 7\n',
];

/** The addresses and paths that others name. */
export function urlsTarget(): Target {
  return {
    seeds: TEXTS.map((text) => Buffer.from(text)),
    generate: (random) => Buffer.from(mutatedText(random, TEXTS)),
    run(input) {
      const text = input.toString();
      // What the members take as an address of one of them must be one for each of them.
      for (const url of checkPeerUrls([text]) ?? []) {
        const { host, port } = parseUrl(url);
        if (host === '' || port > 65_535) throw new Finding('an address that is none');
      }
      try {
        const endpoint = parseEndpoint(text);
        isLoopback(endpoint);
        if (parseEndpoint(endpoint.url).url !== endpoint.url) throw new Finding('another endpoint');
      } catch (error) {
        refusedBy(['InvalidArgument'], error);
      }
      if (isLoopbackHost(text) && isSameOrigin('http://evil.example', text)) {
        throw new Finding('a foreign origin');
      }
      const path = toRelativePath(text);
      if (path !== null && /(^|[/\\])\.\.?([/\\]|$)|^[/\\]|\0/.test(path)) {
        throw new Finding(`a path that leads elsewhere: ${path}`);
      }
      for (const value of parseMetrics(text).values()) {
        if (!Number.isFinite(value)) throw new Finding('a metric that is no number');
      }
    },
  };
}
