import { describe, expect, test } from 'vitest';
import { type NodeConfig, parseNodeFlags, parseRetention } from './config.ts';

function parse(...args: string[]): NodeConfig {
  const config = parseNodeFlags(args);
  if (config === undefined) throw new Error('help was asked for');
  return config;
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

  test.each([
    [['--no-such-flag'], /unknown option '--no-such-flag'/],
    [['--nam', 'x'], /Did you mean --name/],
    [['--listen-client-urls', '127.0.0.1:2379'], /not a URL of the form http:\/\/host:port/],
    [['--listen-client-urls', 'https://127.0.0.1:2379'], /not a URL/],
    [['--listen-client-urls', 'http://127.0.0.1:99999'], /not a URL/],
    [['--initial-cluster', 'a=http://127.0.0.1:1'], /has no member "default"/],
    [['--initial-cluster', 'default=http://127.0.0.1:1'], /but --initial-advertise-peer-urls is/],
    [['--initial-cluster', 'nonsense'], /not of the form name=http/],
    [['--initial-cluster-state', 'maybe'], /Allowed choices are new, existing/],
    [['--heartbeat-interval', '100', '--election-timeout', '150'], /at least twice/],
    [['--election-timeout', '60000'], /over 50000/],
    [['--snapshot-count', 'many'], /must be an integer/],
    [['--auto-compaction-retention', 'soon'], /not a duration/],
    [['stray'], /too many arguments/],
  ])('%j is refused in one line', (args, message) => {
    expect(() => parse(...args)).toThrow(message);
    try {
      parse(...args);
    } catch (error) {
      expect((error as Error).message).not.toContain('\n');
    }
  });
});

test('retention: hours, revisions, Go durations', () => {
  expect(parseRetention('periodic', '2')).toBe(7_200_000);
  expect(parseRetention('revision', '1000')).toBe(1000);
  expect(parseRetention('periodic', '1h30m')).toBe(5_400_000);
  expect(parseRetention('periodic', '0')).toBe(0);
  expect(() => parseRetention('revision', '1h')).toThrow(/number of revisions/);
});
