import { describe, expect, test } from 'vitest';
import { FLAGS } from './config/flags.ts';
import { helpText } from './config/help.ts';
import { duration, parseRetention } from './config/values.ts';
import { ConfigError, type NodeConfig, parseNodeFlags } from './config.ts';

function parse(...args: string[]): NodeConfig {
  return parseWith({}, ...args);
}

function parseWith(env: NodeJS.ProcessEnv, ...args: string[]): NodeConfig {
  const config = parseNodeFlags(args, env);
  if (config === undefined) throw new Error('help was asked for');
  return config;
}

function refusal(run: () => unknown): ConfigError {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('flags', () => {
  test("etcd's defaults", () => {
    const config = parse();
    expect(config).toMatchObject({
      name: 'default',
      listenClientUrls: ['http://127.0.0.1:2379'],
      advertiseClientUrls: ['http://127.0.0.1:2379'],
      listenPeerUrls: ['http://127.0.0.1:2380'],
      initialCluster: [{ name: 'default', peerUrls: ['http://127.0.0.1:2380'] }],
      heartbeatIntervalMs: 100,
      electionTimeoutMs: 1000,
      maxTxnOps: 128,
      maxRequestBytes: 1572864,
      quotaBackendBytes: 0,
      autoCompaction: { mode: 'periodic', retention: 0 },
    });
  });

  test('a cluster of three, with values after = and after a space', () => {
    const config = parse(
      '--name=b',
      '--initial-advertise-peer-urls',
      'http://127.0.0.1:3381',
      '--initial-cluster=a=http://127.0.0.1:3380,b=http://127.0.0.1:3381,c=http://[::1]:3382',
      '--heartbeat-interval=15',
      '--election-timeout=150',
    );
    expect(config.initialCluster.map((member) => member.name)).toEqual(['a', 'b', 'c']);
    expect(config.heartbeatIntervalMs).toBe(15);
  });

  test("etcd's defaults of the switches and intervals", () => {
    expect(parse()).toMatchObject({
      strictReconfigCheck: true,
      strictCapability: false,
      maxLearners: 1,
      preVote: true,
      initialCorruptCheck: false,
      corruptCheckIntervalMs: 0,
      watchProgressIntervalMs: 600_000,
      logLevel: 'info',
      logOutputs: ['stderr'],
    });
  });

  test("Go's ways to write a flag: one dash, a switch with and without a value, the last one wins", () => {
    expect(parse('-name', 'x', '--name=y').name).toBe('y');
    expect(parse('--strict-capability').strictCapability).toBe(true);
    expect(parse('--strict-capability', '--name', 'z')).toMatchObject({
      strictCapability: true,
      name: 'z',
    });
    expect(parse('--strict-reconfig-check=false').strictReconfigCheck).toBe(false);
    expect(parse('--pre-vote=F', '-experimental-initial-corrupt-check=1')).toMatchObject({
      preVote: false,
      initialCorruptCheck: true,
    });
    expect(parse('--quota-backend-bytes', '-1').quotaBackendBytes).toBe(-1);
    expect(parse('--initial-cluster-token=a=b').initialClusterToken).toBe('a=b');
  });

  test('durations', () => {
    const config = parse(
      '--experimental-corrupt-check-time=1m30s',
      '--experimental-watch-progress-notify-interval',
      '250ms',
    );
    expect(config).toMatchObject({ corruptCheckIntervalMs: 90_000, watchProgressIntervalMs: 250 });
    const interval = '--experimental-watch-progress-notify-interval';
    expect(parse(interval, '0').watchProgressIntervalMs).toBe(600_000);
    expect(parse(interval, '1ms').watchProgressIntervalMs).toBe(100);
  });

  test('what etcd takes and we need not act on', () => {
    const config = parse(
      '--logger=zap',
      '--max-wals=0',
      '--max-snapshots',
      '3',
      '--log-level=panic',
    );
    expect(config.logLevel).toBe('fatal');
  });

  test.each([
    [['--no-such-flag'], /unknown flag --no-such-flag/],
    [['--listen-client-urls', '127.0.0.1:2379'], /not a URL of the form http:\/\/host:port/],
    [['--listen-client-urls', 'https://127.0.0.1:2379'], /not a URL/],
    [['--listen-client-urls', 'http://127.0.0.1:99999'], /not a URL/],
    [['--initial-cluster', 'a=http://127.0.0.1:1'], /has no member "default"/],
    [['--initial-cluster', 'default=http://127.0.0.1:1'], /but --initial-advertise-peer-urls is/],
    [['--initial-cluster', 'nonsense'], /not of the form name=http/],
    [['--initial-cluster-state', 'maybe'], /"maybe": it must be one of new, existing/],
    [['--heartbeat-interval', '100', '--election-timeout', '150'], /at least twice/],
    [['--election-timeout', '60000'], /over 50000/],
    [['--snapshot-count', 'many'], /--snapshot-count "many": it must be an integer/],
    [['--snapshot-count'], /--snapshot-count needs a value/],
    [['--name='], /--name "": it must not be empty/],
    [['--auto-compaction-retention', 'soon'], /not a duration/],
    [['--auto-compaction-retention', '1000h'], /of at most 596h/],
    [['--experimental-corrupt-check-time', '5'], /such as 30s/],
    [['--experimental-corrupt-check-time', '-5s'], /such as 30s/],
    [
      ['--strict-reconfig-check=maybe'],
      /--strict-reconfig-check "maybe": it must be true or false/,
    ],
    [['--logger', 'capnslog'], /must be one of zap/],
    [['stray'], /unexpected argument "stray"/],
    [['--'], /unexpected argument "--"/],
    [['-'], /unexpected argument "-"/],
    [['---name', 'x'], /unexpected argument "---name"/],
    [['--constructor', 'x'], /unknown flag --constructor/],
  ])('%j is refused in one line', (args, message) => {
    const { message: said } = refusal(() => parse(...args));
    expect(said).toMatch(message);
    expect(said).not.toContain('\n');
  });

  test.each([
    [['--nam', 'x'], 'Did you mean --name?'],
    [['--max-learners', '2'], 'Did you mean --experimental-max-learners?'],
    [['--experimental-pre-vote'], 'Did you mean --pre-vote?'],
    [['--cert-file', 'x'], "It is etcd's. TLS is not supported here."],
    [['--auth-token', 'x'], "It is etcd's. Authentication is not supported here."],
    [['--discovery-srv', 'x'], "It is etcd's. Discovery is not supported here."],
    [['--enable-v2'], "It is etcd's. The v2 API is not supported here."],
    [['--enable-grpc-gateway'], "It is etcd's. The JSON gateway is not supported here."],
    [['--proxy', 'on'], "It is etcd's. The v2 proxy is not supported here."],
    [['--zzzzzzzzzzzz'], 'See raftdeck node --help.'],
    [['--pre-vote', 'false'], 'Write --pre-vote=false.'],
  ])('%j: a way out', (args, hint) => {
    expect(refusal(() => parse(...args)).hint).toBe(hint);
  });
});

describe('variables', () => {
  test('a variable is taken, a flag wins over it, and an empty one is none', () => {
    const env = {
      ETCD_NAME: 'b',
      ETCD_INITIAL_CLUSTER: 'b=http://127.0.0.1:2380,c=http://127.0.0.1:2390',
      ETCD_STRICT_CAPABILITY: 'true',
      ETCD_EXPERIMENTAL_MAX_LEARNERS: '3',
      ETCD_HEARTBEAT_INTERVAL: '50',
      ETCD_ELECTION_TIMEOUT: '',
      ETCD_DISCOVERY: '',
    };
    expect(parseWith(env, '--heartbeat-interval=20')).toMatchObject({
      name: 'b',
      initialCluster: [{ name: 'b' }, { name: 'c' }],
      strictCapability: true,
      maxLearners: 3,
      heartbeatIntervalMs: 20,
      electionTimeoutMs: 1000,
    });
  });

  test('every flag has its variable', () => {
    for (const [name, { fallback }] of Object.entries(FLAGS)) {
      const variable = `ETCD_${name.replaceAll('-', '_').toUpperCase()}`;
      if (fallback === undefined || fallback === '') continue;
      expect(parseWith({ [variable]: fallback })).toEqual(parse());
    }
  });

  test("other programs' variables are not ours", () => {
    const env = { ETCDCTL_API: '3', ETCDCTL_NONSENSE: 'x', MY_ETCD_NAME: 'x' };
    expect(parseWith({ ...env, ETCD_UNSUPPORTED_ARCH: 'arm64' })).toEqual(parse());
  });

  test.each([
    ['ETCD_NAMES', /unknown environment variable ETCD_NAMES/, /Did you mean ETCD_NAME\?/],
    ['ETCD_CERT_FILE', /unknown environment variable ETCD_CERT_FILE/, /TLS is not supported here/],
    ['ETCD_SERVICE_HOST', /ETCD_SERVICE_HOST/, /Unset it: ETCD_\* variables are settings/],
    ['ETCD_SNAPSHOT_COUNT', /ETCD_SNAPSHOT_COUNT "x": it must be an integer/, undefined],
  ])('%s is refused by name', (variable, message, hint) => {
    const error = refusal(() => parseWith({ [variable]: 'x' }));
    expect(error.message).toMatch(message);
    if (hint !== undefined) expect(error.hint).toMatch(hint);
  });

  test('a variable that cannot be read is refused even if a flag is fine elsewhere', () => {
    expect(() => parseWith({ ETCD_PRE_VOTE: 'si' }, '--name', 'x')).toThrow(/ETCD_PRE_VOTE "si"/);
  });
});

describe('help', () => {
  test('names every flag and its default, in lines that fit a terminal', () => {
    const help = helpText();
    for (const name of Object.keys(FLAGS)) expect(help).toContain(`  --${name}`);
    expect(help).toContain('(default: http://127.0.0.1:2379)');
    for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });
});

test.each([
  ['0', 0],
  ['1.5s', 1_500],
  ['.5h', 1_800_000],
  ['1h2m3s4ms', 3_723_004],
  ['1500us', 1.5],
])('the duration %s', (written, ms) => {
  expect(duration(written)).toBeCloseTo(ms, 6);
});

test('retention: hours, revisions, Go durations', () => {
  expect(parseRetention('periodic', '2')).toBe(7_200_000);
  expect(parseRetention('revision', '1000')).toBe(1000);
  expect(parseRetention('periodic', '1h30m')).toBe(5_400_000);
  expect(parseRetention('periodic', '0')).toBe(0);
  expect(() => parseRetention('revision', '1h')).toThrow(/number of revisions/);
});

describe('flags without end', () => {
  const seconds = (run: () => unknown) => {
    const before = process.cpuUsage();
    refusal(run);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };

  test('a duration of very many digits is refused at once', () => {
    expect(seconds(() => duration('1'.repeat(50_000)))).toBeLessThan(1);
  });

  test('the nearest name to a very long one is not searched for', () => {
    expect(seconds(() => parse(`--${'n'.repeat(1_000_000)}=1`))).toBeLessThan(2);
  });
});
