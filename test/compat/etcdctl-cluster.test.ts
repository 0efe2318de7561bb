import { expect, it } from 'vitest';
import { type AlarmResponse, AlarmType } from '../../src-main/proto/etcd/rpc.ts';
import { onPath, until } from '../support/cluster.ts';
import { compatSuite } from './support/compat.ts';
import { type CtlResult, EtcdctlSession, etcdctl, etcdctlJson } from './support/etcdctl.ts';
import { call, withClients } from './support/grpc.ts';
import type { Target } from './support/targets.ts';

if (!onPath('etcdctl')) {
  it.skip('ALL etcdctl CASES SKIPPED: etcdctl is not installed (Debian: etcd-client)', () => {});
} else {
  compatSuite('etcdctl: leases, locks, elections, alarms, endpoints', [], (compat) => {
    defineLeases(compat);
    defineLocks(compat);
    defineHousekeeping(compat);
  });
}

type Compat = (name: string, run: (target: Target) => Promise<unknown>) => void;

/** Ids, addresses and times that differ between any two clusters. */
function hide({ code, stdout, error }: CtlResult): CtlResult {
  const clean = (text: string) =>
    text
      .replaceAll(/127\.0\.0\.1:\d+/g, '<address>')
      .replaceAll(/took = .*/g, 'took = <time>')
      .replaceAll(/"took":"[^"]*"/g, '"took":"<time>"')
      .replaceAll(/"(cluster_id|member_id|raft_term|revision|ID|id|memberID)":\d+/g, '"$1":<n>')
      .replaceAll(/"(ClusterID|MemberID|RaftTerm|Revision|ID)" : -?\w+/g, '"$1" : <n>')
      .replaceAll(/\b[0-9a-f]{15,20}\b/g, '<id>')
      .replaceAll(/remaining\(\d+s\)/g, 'remaining(<n>)')
      .replaceAll(/"ttl":\d+/g, '"ttl":<n>')
      .replaceAll(/"TTL" : \d+/g, '"TTL" : <n>')
      .replaceAll(/[\d.]+(ms|µs|s)\b/g, '<time>');
  return { code, stdout: clean(stdout), error: clean(error) };
}

async function transcript(target: Target, commands: string[]): Promise<CtlResult[]> {
  const results = [];
  for (const command of commands) results.push(hide(await etcdctl(target, command.split(' '))));
  return results;
}

function defineLeases(compat: Compat): void {
  compat('lease: grant, timetolive, list, keep-alive, revoke in every format', async (target) => {
    const id = '70000000000007a1';
    await withClients(target, (clients) => clients.grant(BigInt(`0x${id}`), 500));
    const results = await transcript(target, [
      `put lc/a 1 --lease=${id}`,
      ...['', ' -w json', ' -w fields', ' -w table'].flatMap((format) => [
        `lease list${format}`,
        `lease timetolive ${id}${format}`,
        `lease timetolive ${id} --keys${format}`,
        `lease timetolive 0123${format}`,
        `lease keep-alive ${id} --once${format}`,
      ]),
      'lease keep-alive 0123 --once',
      'lease timetolive zz',
      'lease grant',
      'lease grant nonsense',
      'lease grant 9000000001',
      'lease revoke zz',
      'lease revoke 0123',
      `lease revoke ${id} -w json`,
      'lease list',
    ]);
    const granted = (await etcdctlJson(target, ['lease', 'grant', '100'])) as { ID: string };
    const hex = BigInt(granted.ID).toString(16);
    const plain = await etcdctl(target, ['lease', 'grant', '-w', 'fields', '120']);
    results.push(hide(plain), ...(await transcript(target, [`lease revoke ${hex}`])));
    for (const lease of /"ID" : (-?\d+)/.exec(plain.stdout)?.slice(1) ?? []) {
      await withClients(target, (clients) => clients.revoke(BigInt(lease)));
    }
    return results;
  });

  compat('lease keep-alive goes on until the lease is gone', async (target) => {
    await withClients(target, (clients) => clients.grant(0x7a2n, 3));
    const session = new EtcdctlSession(target, ['lease', 'keep-alive', '7a2']);
    await session.until((lines) => lines.length >= 3);
    await withClients(target, (clients) => clients.revoke(0x7a2n));
    const lines = await session.until((all) => all.at(-1)?.includes('expired') ?? false);
    await session.stop();
    return [...new Set(lines)];
  });
}

function defineLocks(compat: Compat): void {
  compat('lock: the next one waits, a command’s exit code is handed on', async (target) => {
    const first = new EtcdctlSession(target, ['lock', 'lk/a', '--ttl=5']);
    const [key] = await first.until((lines) => lines.length > 0);
    expect(key).toMatch(/^lk\/a\/[0-9a-f]+$/);
    const second = new EtcdctlSession(target, ['lock', 'lk/a']);
    await until('the second waits', () =>
      withClients(target, async (clients) => {
        const range = { key: Buffer.from('lk/'), rangeEnd: Buffer.from('lk0') };
        return (await clients.range(range)).count === 2 || undefined;
      }),
    );
    expect(second.lines).toEqual([]);
    expect(await first.stop()).toBe(0);
    await second.until((lines) => lines.length > 0);
    expect(await second.stop()).toBe(0);
    const results = [
      await etcdctl(target, ['lock', 'lk/b', '--', 'sh', '-c', 'echo "held as $ETCD_LOCK_KEY"']),
      await etcdctl(target, ['lock', 'lk/b', '--', 'sh', '-c', 'exit 7']),
      await etcdctl(target, ['lock']),
      hide(await etcdctl(target, ['get', 'lk/', '--prefix'])),
    ];
    expect(results[0]?.stdout).toMatch(/^held as lk\/b\/[0-9a-f]+$/m);
    return results.slice(1);
  });

  compat(
    'elect: one leads, the next one follows when it goes, a third one looks on',
    async (target) => {
      const first = new EtcdctlSession(target, ['elect', 'el/a', 'one']);
      await first.until((lines) => lines.includes('one'));
      const observer = new EtcdctlSession(target, ['elect', '--listen', 'el/a']);
      await observer.until((lines) => lines.includes('one'));
      const second = new EtcdctlSession(target, ['elect', 'el/a', 'two']);
      await until('the second waits', () =>
        withClients(target, async (clients) => {
          const range = { key: Buffer.from('el/'), rangeEnd: Buffer.from('el0') };
          return (await clients.range(range)).count === 2 || undefined;
        }),
      );
      await first.stop();
      await second.until((lines) => lines.includes('two'));
      const seen = await observer.until((lines) => lines.includes('two'));
      await second.stop();
      await observer.stop();
      return seen.filter((line) => !line.startsWith('el/'));
    },
  );
}

function defineHousekeeping(compat: Compat): void {
  compat('alarm: list and disarm', async (target) => {
    const none = await transcript(target, ['alarm list', 'alarm disarm', 'alarm list -w json']);
    await withClients(target, async (clients) => {
      const { header } = await clients.range({ key: Buffer.of(1) });
      const request = { action: 1, memberID: header?.memberId ?? 0n, alarm: AlarmType.NOSPACE };
      await call<AlarmResponse>((...rest) => clients.maintenance.alarm(request as never, ...rest));
    });
    const raised = await transcript(target, [
      'alarm list',
      'put al/a 1',
      'get al/a',
      'endpoint health',
      'alarm disarm',
      'alarm list',
      'put al/a 1',
    ]);
    expect(raised[1]).toMatchObject({
      error: 'Error: etcdserver: mvcc: database space exceeded',
    });
    // Ids have as many digits as they have. etcd has answered with a header since 3.5.
    const digits = (result: CtlResult) => ({
      ...result,
      stdout: result.stdout
        .replaceAll(/memberID:\S+/g, 'memberID:<id>')
        .replace(/"header":\{[^}]*\},?/, ''),
    });
    return [...none, ...raised].map(digits);
  });

  compat(
    'endpoint health and status in every format, of one and of the cluster',
    async (target) => {
      const results = await transcript(target, [
        'endpoint health',
        'endpoint health --cluster',
        'endpoint health -w json',
        'endpoint nonsense',
      ]);
      const shapes = [];
      for (const flags of [[], ['--cluster']]) {
        const [status] = (await etcdctlJson(target, ['endpoint', 'status', ...flags])) as [
          { Status: Record<string, unknown> },
        ];
        shapes.push(Object.keys(status.Status).sort());
        const simple = await etcdctl(target, ['endpoint', 'status', ...flags]);
        shapes.push(simple.stdout.split(', ').length);
        const fields = await etcdctl(target, ['endpoint', 'status', '-w', 'fields', ...flags]);
        shapes.push(fields.stdout.split('\n').map((line) => line.split(' : ')[0]));
        const table = await etcdctl(target, ['endpoint', 'status', '-w', 'table', ...flags]);
        shapes.push(
          table.stdout
            .split('\n')[1]
            ?.split('|')
            .map((cell) => cell.trim()),
        );
      }
      const health = await etcdctl(target, ['endpoint', 'health', '-w', 'table']);
      // As wide as the time it took is long.
      shapes.push(hide(health).stdout.replaceAll(/[- ]+/g, ' '));
      return [results, shapes];
    },
  );

  compat('defrag, also of the cluster; version', async (target) => {
    const results = await transcript(target, ['defrag', 'defrag --cluster', 'version', 'get x']);
    expect(results[0]?.stdout).toBe('Finished defragmenting etcd member[<address>]\n');
    return results.map(({ stdout, ...rest }) => ({
      ...rest,
      stdout: stdout.replaceAll('http://', ''),
    }));
  });

  // It puts ten thousand keys of a kilobyte, and deletes them. (check perf takes a minute whatever
  // its load, so it is not run here.)
  compat('check datascale', async (target) => {
    const { code, stdout, error } = await etcdctl(target, [
      ...['check', 'datascale', '--load=s', '--auto-compact', '--auto-defrag'],
    ]);
    expect(code, error).toBe(0);
    const left = await etcdctl(target, ['get', '/etcdctl-check-datascale/', '--prefix']);
    return [/(PASS|FAIL): Approximate/.exec(stdout)?.[1], left];
  });
}
