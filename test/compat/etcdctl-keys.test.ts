import { expect, it } from 'vitest';
import {
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  TxnResponse,
} from '../../src-main/proto/etcd/rpc.ts';
import { onPath } from '../support/cluster.ts';
import { compatSuite } from './support/compat.ts';
import { EtcdctlSession, etcdctl } from './support/etcdctl.ts';
import { withClients } from './support/grpc.ts';
import { mask } from './support/mask.ts';
import type { Target } from './support/targets.ts';

if (!onPath('etcdctl')) {
  it.skip('ALL etcdctl CASES SKIPPED: etcdctl is not installed (Debian: etcd-client)', () => {});
} else {
  compatSuite('etcdctl: get, put, del, txn, watch, compact', [], (compat) => {
    defineReads(compat);
    defineWrites(compat);
    defineWatches(compat);
    defineCompact(compat);
  });
}

type Compat = (name: string, run: (target: Target) => Promise<unknown>) => void;

function revisionOf(target: Target): Promise<number> {
  return withClients(target, (clients) => clients.revision());
}

/** Runs the commands in turn: output, exit code and error line of each, ids and revisions hidden. */
async function transcript(target: Target, commands: (string | string[])[]): Promise<unknown[]> {
  const base = await revisionOf(target);
  const results = [];
  for (const command of commands) {
    const args = typeof command === 'string' ? command.split(' ') : command;
    results.push(await etcdctl(target, args));
  }
  return results.map(({ stdout, ...rest }) => ({ ...rest, stdout: hide(stdout, base) }));
}

/** Cluster, member and term in every form of output; revisions relative to the base. */
function hide(text: string, base: number): string {
  return text
    .replaceAll(/"(ClusterID|MemberID|RaftTerm)" : \d+/g, '"$1" : <n>')
    .replaceAll(/"(cluster_id|member_id|raft_term)":\d+/g, '"$1":<n>')
    .replaceAll(/(Revision"? ?: ?|revision":)(\d+)/g, (_, name: string, n: string) => {
      return `${name}base+${Number(n) - base}`;
    });
}

/** What `-w protobuf` printed, which is the message itself. */
async function decoded(
  target: Target,
  args: string[],
  codec: { decode(bytes: Uint8Array): unknown },
  input = '',
): Promise<unknown> {
  const { stdout, code, error } = await etcdctl(target, [...args, '-w', 'protobuf'], input);
  expect(code, error).toBe(0);
  return codec.decode(Buffer.from(stdout, 'latin1'));
}

const FILL = ['put gk/b 3', 'put gk/a 1', 'put gk/c 2', 'put gk/a 5', 'put gl/x 9'];

function defineReads(compat: Compat): void {
  compat('get: every flag', async (target) => {
    const base = await revisionOf(target);
    await transcript(target, FILL);
    return transcript(target, [
      'get gk/a',
      'get gk/ gk/c',
      'get gk/ --prefix',
      'get gk/b --from-key --limit=2',
      ['get', '', '--from-key', '--keys-only', '--limit=3'],
      ['get', '', '--prefix', '--keys-only', '--limit=3'],
      'get gk/ --prefix --limit=2',
      'get gk/ --prefix --keys-only',
      'get gk/ --prefix --print-value-only',
      `get gk/ --prefix --rev=${base + 2}`,
      `get gk/ --prefix --rev=${base + 999}`,
      'get gk/ --prefix --consistency=s',
      'get gk/ --prefix --consistency=l',
      'get gk/ --prefix --consistency=x',
      'get gk/ --prefix --order=ASCEND',
      'get gk/ --prefix --order=DESCEND',
      'get gk/ --prefix --order=SIDEWAYS',
      ...['CREATE', 'KEY', 'MODIFY', 'VALUE', 'VERSION'].flatMap((by) => [
        `get gk/ --prefix --sort-by=${by}`,
        `get gk/ --prefix --sort-by=${by} --order=DESCEND --limit=2`,
      ]),
      'get gk/ --prefix --from-key',
      'get gk/a --hex',
      'get',
      'get gk/ --prefix -w json',
      'get gk/ --prefix -w fields',
      'get gk/ --prefix --limit=1 -w fields',
      'get gk/a -w table',
      'get gk/a -w nonsense',
      'get gk/none -w json',
      'get gk/none -w fields',
    ]);
  });

  compat('get, put, del and txn as protobuf', async (target) => {
    const base = await revisionOf(target);
    const answers = [
      await decoded(target, ['put', 'pb/a', '1'], PutResponse),
      await decoded(target, ['put', 'pb/a', '2', '--prev-kv'], PutResponse),
      await decoded(target, ['get', 'pb/', '--prefix'], RangeResponse),
      await decoded(
        target,
        ['txn'],
        TxnResponse,
        'ver("pb/a") = "2"\n\nget pb/a\nput pb/b x\n\n\n',
      ),
      await decoded(target, ['del', 'pb/', '--prefix', '--prev-kv'], DeleteRangeResponse),
    ];
    return mask(answers, base);
  });
}

function defineWrites(compat: Compat): void {
  compat('put: every flag, and values from standard input', async (target) => {
    const base = await revisionOf(target);
    await etcdctl(target, ['put', 'pi/plain'], 'from\nstandard input\n');
    await etcdctl(target, ['put', 'pi/empty'], '');
    await etcdctl(target, ['put', 'pi/binary'], '\u0000\u0001\u0002');
    await withClients(target, (clients) => clients.grant(0x7901n, 600));
    const results = await transcript(target, [
      'get pi/ --prefix -w json',
      'put pi/a 1 --prev-kv',
      'put pi/a 2 --prev-kv',
      'put pi/a --ignore-value --lease=7901',
      'put pi/a --ignore-value --prev-kv',
      'put pi/a 3 --ignore-lease',
      'put pi/a x --ignore-value',
      'put pi/a 4 --ignore-lease --lease=7901',
      'put pi/none 4 --ignore-lease',
      'put pi/b 1 --lease=7901',
      'put pi/b 1 --lease=7902',
      'put pi/b 1 --lease=zz',
      'get pi/ --prefix -w json',
      'put pi/a 5 -w json --prev-kv',
      'put pi/a 6 -w fields --prev-kv',
      'put pi/a 7 -w table',
      ['put', '--', 'pi/dash', '-value'],
      'get pi/dash',
      ['put', '', 'x'],
      'put',
    ]);
    await withClients(target, (clients) => clients.revoke(0x7901n));
    expect(results[0]).toMatchObject({ code: 0 });
    return [base > 0, results];
  });

  compat('del: every flag', async (target) => {
    const results = [];
    for (const del of [
      'del dk/a',
      'del dk/a dk/c --prev-kv',
      'del dk/ --prefix --prev-kv',
      'del dk/b --from-key --prev-kv',
      'del dk/none --prev-kv',
      'del dk/ --prefix -w json --prev-kv',
      'del dk/ --prefix -w fields --prev-kv',
      'del dk/ --prefix -w table',
      'del dk/ dk/b --prefix',
      'del',
    ]) {
      // The rest of the space is there when --from-key has run, too.
      results.push(
        await transcript(target, [
          'put dk/b 2',
          'put dk/a 1',
          'put dk/c 3',
          del,
          'get dk/ --prefix',
        ]),
      );
    }
    return results;
  });

  compat('txn: from standard input, in every format', async (target) => {
    await transcript(target, ['put tk/a 1', 'put tk/b 2']);
    const base = await revisionOf(target);
    const results = [];
    const guards = 'mod("tk/none") = "0"\nval("tk/a") = "1"\nver("tk/b") > "0"\nc("tk/b") != "0"\n';
    for (const [input, ...flags] of [
      [`${guards}\nget tk/a\nput tk/c "a value"\ndel tk/none\n\nget tk/b\n\n`],
      ['val("tk/a") < "1"\n\nput tk/x no\n\nget tk/ --prefix\nput tk/d \'yes\'\n\n'],
      [`${guards}\nget tk/a\nput tk/a 1 --prev-kv\ndel tk/d --prev-kv\n\n\n`, '-w', 'json'],
      ['\nget tk/a\nput tk/a 1\ndel tk/none\n\n\n', '-w', 'fields'],
      ['\nget tk/a --rev=1000000\n\n\n'],
      ['\nput tk/a 1\nput tk/a 2\n\n\n'],
      ['nonsense\n\n\n\n'],
      ['val("tk/a") ~ "1"\n\n\n\n'],
      ['\nfly tk/a\n\n\n'],
      ['lease("tk/a") = "0"\n\nget tk/a --keys-only\n\n\n'],
    ] as [string, ...string[]][]) {
      const { stdout, ...rest } = await etcdctl(target, ['txn', ...flags], input);
      results.push({ ...rest, stdout: hide(stdout, base) });
    }
    // The interactive form asks for each part.
    const asked = await etcdctl(
      target,
      ['txn', '-i'],
      'val("tk/a") = "1"\n\nget tk/a\n\nget tk/b\n\n',
    );
    expect(asked.stdout).toContain('success requests (get, put, del):');
    results.push(asked);
    return results;
  });
}

function defineWatches(compat: Compat): void {
  /** Starts a watch, makes changes and answers what it printed up to the key "…/end". */
  async function watched(target: Target, args: string[]): Promise<string[]> {
    const base = await revisionOf(target);
    const session = new EtcdctlSession(target, ['watch', ...args]);
    await transcript(target, ['put wk/a 1', 'put wk/b 2', 'del wk/a', 'put wk/a 3']);
    // A watch of now may have begun after those: the end comes again until it is seen.
    let seen = 0;
    while (!session.lines.some((line) => line.includes('wk/end') || line.includes('d2svZW5k'))) {
      await transcript(target, [`put wk/end ${seen++}`]);
      if (seen > 50) throw new Error('the watch shows nothing');
    }
    expect(await session.stop()).not.toBe(1);
    return session.lines.map((line) => hide(line, base));
  }

  compat('watch: from a revision on, in every format', async (target) => {
    const results = [];
    // With how many lines follow the one that names the last key.
    for (const [following, ...flags] of [
      [1],
      [1, '--prev-kv'],
      [0, '-w', 'json'],
      [5, '-w', 'fields'],
      [1, '--hex'],
    ] as [number, ...string[]][]) {
      const from = `--rev=${(await revisionOf(target)) + 1}`;
      const session = new EtcdctlSession(target, ['watch', 'wr/', '--prefix', from, ...flags]);
      const base = await revisionOf(target);
      await transcript(target, ['put wr/a 1', 'put wr/a 2', 'del wr/a', 'put wr/end x']);
      const ends = ['wr/end', 'd3IvZW5k', String.raw`\x65\x6e\x64`];
      await session.until((lines) => {
        const last = lines.findIndex((line) => ends.some((end) => line.includes(end)));
        return last >= 0 && lines.length > last + following;
      });
      await session.stop();
      // How many revisions one response holds depends on the moment.
      const lines = session.lines.map((line) => hide(line, base));
      results.push(flags[1] === 'json' || flags[1] === 'fields' ? eventsIn(lines) : lines);
    }
    return results;
  });

  compat('watch: one key, a range, a prefix', async (target) => {
    const seen = [
      await watched(target, ['wk/end']),
      await watched(target, ['wk/b', 'wk/f']),
      await watched(target, ['wk/', '--prefix']),
    ];
    for (const lines of seen) expect(lines).toContain('wk/end');
  });

  compat('watch: interactively, several in one session, with progress', async (target) => {
    const session = new EtcdctlSession(target, ['watch', '-i']);
    const from = (await revisionOf(target)) + 1;
    session.write(`watch wi/a --rev=${from}\n`);
    session.write(`watch wi/b wi/z --rev=${from}\n`);
    await transcript(target, ['put wi/a 1']);
    await session.until((lines) => lines.length >= 3);
    await transcript(target, ['put wi/b 2']);
    await session.until((lines) => lines.length >= 6);
    session.write('progress\n');
    const lines = await session.until((all) => all.some((line) => line.startsWith('progress')));
    await session.stop();
    expect(lines.filter((line) => line.startsWith('progress'))[0]).toMatch(
      /^progress notify: \d+$/,
    );
    return lines.filter((line) => !line.startsWith('progress'));
  });

  compat('watch: a command for each event', async (target) => {
    const from = (await revisionOf(target)) + 1;
    const script = 'echo $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE';
    const args = ['watch', 'we/', '--prefix', `--rev=${from}`, '--', 'sh', '-c', script];
    const session = new EtcdctlSession(target, args);
    await transcript(target, ['put we/a 1', 'del we/a', 'put we/b two']);
    const ran = (all: string[]) => all.some((line) => line.includes('"we/b"'));
    const lines = await session.until(ran);
    await session.stop();
    return lines.filter((line) => line.includes('"'));
  });
}

/** The fields that belong to events. */
function eventsIn(lines: string[]): string[] {
  return lines.flatMap((line) => {
    if (!line.startsWith('{')) return /^"(Type|Key|Value|Lease|Version)"/.test(line) ? [line] : [];
    const { Events } = JSON.parse(
      line.replaceAll(/base\+(-?\d+)/g, '"base+$1"').replaceAll('<n>', '0'),
    ) as {
      Events: unknown[];
    };
    return Events.map((event) => JSON.stringify(event));
  });
}

function defineCompact(compat: Compat): void {
  compat('compact: also physical, old, future and nonsense', async (target) => {
    await transcript(target, ['put cp/a 1', 'put cp/a 2', 'put cp/a 3', 'put cp/a 4']);
    const now = await revisionOf(target);
    const results = await transcript(target, [
      `compaction ${now - 2}`,
      `compact ${now - 2}`,
      `compact ${now - 1} --physical`,
      `compact ${now + 50}`,
      `compact ${now + 50} --physical`,
      'compact nonsense',
      'compact',
      ['compact', '--', '-1'],
      `get cp/a --rev=${now - 2}`,
      `get cp/a --rev=${now - 1}`,
    ]);
    return JSON.parse(
      JSON.stringify(results).replaceAll(
        /revision (\d+)/g,
        (_, n: string) => `now+${Number(n) - now}`,
      ),
    );
  });
}
