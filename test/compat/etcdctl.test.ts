import { expect, it } from 'vitest';
import { onPath } from '../support/cluster.ts';
import { compatSuite } from './support/compat.ts';
import { etcdctl, etcdctlJson, etcdctlLines } from './support/etcdctl.ts';
import { mask } from './support/mask.ts';
import type { Target } from './support/targets.ts';

if (!onPath('etcdctl')) {
  console.warn('no etcdctl here: the proof by a client that we did not write does not run');
  it.skip('ALL etcdctl CASES SKIPPED: etcdctl is not installed (Debian: etcd-client)', () => {});
} else {
  compatSuite('etcdctl', [], defineCases);
}

async function put(target: Target, ...pairs: [string, string][]): Promise<void> {
  for (const [key, value] of pairs) {
    const { stdout, error } = await etcdctl(target, ['put', key, value]);
    expect(stdout + error).toBe('OK\n');
  }
}

async function revision(target: Target): Promise<number> {
  const answer = await etcdctlJson(target, ['get', 'nothing']);
  return (answer as { header: { revision: number } }).header.revision;
}

/** Runs the commands in turn: output, exit code and error line of each. */
async function transcript(target: Target, commands: string[][]): Promise<unknown[]> {
  const results = [];
  for (const command of commands) results.push(await etcdctl(target, command));
  return results;
}

/** Runs the commands in turn with -w json: what each printed, masked. */
async function jsonTranscript(target: Target, commands: string[][]): Promise<unknown[]> {
  const base = await revision(target);
  const results = [];
  for (const command of commands) {
    results.push(mask(await etcdctlJson(target, command), base));
  }
  return results;
}

function defineCases(compat: (name: string, run: (target: Target) => Promise<unknown>) => void) {
  compat('put and get', async (target) => {
    const results = await transcript(target, [
      ['put', 'pg/a', 'one'],
      ['get', 'pg/a'],
      ['get', 'pg/a', '--print-value-only'],
      ['get', 'pg/none'],
      ['put', 'pg/a', 'two', '--prev-kv'],
      ['put', 'pg/a', '--ignore-value'],
      ['put', 'pg/none', '--ignore-value'],
      ['put', 'pg/empty', ''],
      ['get', 'pg/empty'],
      ['get', ''],
    ]);
    expect(results[1]).toEqual({ code: 0, stdout: 'pg/a\none\n', error: '' });
    return results;
  });

  compat('get with -w json', (target) =>
    jsonTranscript(target, [
      ['put', 'js/a', 'one'],
      ['put', 'js/a', 'two', '--prev-kv'],
      ['get', 'js/a'],
      ['get', 'js/none'],
      ['get', 'js/', '--prefix', '--keys-only'],
      ['del', 'js/a', '--prev-kv'],
      ['del', 'js/a'],
    ]),
  );

  compat('ranges', async (target) => {
    await put(target, ['r/b', '3'], ['r/a', '1'], ['r/d', '2'], ['r/c', '4'], ['r/a', '9']);
    const results = await transcript(target, [
      ['get', 'r/', '--prefix'],
      ['get', 'r/b', 'r/d'],
      ['get', 'r/c', '--from-key', '--limit', '2'],
      ['get', 'r/', '--prefix', '--limit', '2', '--order', 'DESCEND'],
      ['get', 'r/', '--prefix', '--sort-by', 'CREATE'],
      ['get', 'r/', '--prefix', '--sort-by', 'MODIFY', '--order', 'DESCEND'],
      ['get', 'r/', '--prefix', '--sort-by', 'VALUE', '--keys-only'],
      ['get', 'r/', '--prefix', '--sort-by', 'VERSION', '--order', 'DESCEND', '--limit', '1'],
      ['get', 'r/', '--prefix', '--consistency', 's', '--keys-only'],
      ['get', 'r/', '--prefix', '--sort-by', 'NOPE'],
    ]);
    expect(results[0]).toMatchObject({ stdout: 'r/a\n9\nr/b\n3\nr/c\n4\nr/d\n2\n' });
    return [
      results,
      await jsonTranscript(target, [
        ['get', 'r/', '--prefix', '--limit', '2'],
        ['get', 'r/', '--prefix', '--sort-by', 'VALUE', '--limit', '2'],
      ]),
    ];
  });

  compat('get at an old revision', async (target) => {
    const base = await revision(target);
    await put(target, ['old/a', 'one'], ['old/a', 'two']);
    await etcdctl(target, ['del', 'old/a']);
    const at = (offset: number) => ['get', 'old/a', `--rev=${base + offset}`];
    const results = await transcript(target, [at(0), at(1), at(2), at(3), at(4)]);
    expect(results[1]).toMatchObject({ stdout: 'old/a\none\n' });
    expect(results[4]).toMatchObject({
      code: 1,
      error: 'Error: etcdserver: mvcc: required revision is a future revision',
    });
    return results;
  });

  compat('keys and values beyond ASCII', async (target) => {
    const results = await transcript(target, [
      ['put', 'bin/ü', '日本語\n'],
      ['get', 'bin/', '--prefix'],
      ['get', 'bin/', '--prefix', '--hex'],
    ]);
    expect(results[2]).toMatchObject({
      stdout:
        String.raw`\x62\x69\x6e\x2f\xc3\xbc` +
        '\n' +
        String.raw`\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\x0a` +
        '\n',
    });
    return results;
  });

  compat('del', async (target) => {
    await put(target, ['d/a', '1'], ['d/b', '2'], ['d/c', '3'], ['d/d', '4']);
    const results = await transcript(target, [
      ['del', 'd/a', '--prev-kv'],
      ['del', 'd/a'],
      ['del', 'd/b', 'd/d'],
      ['get', 'd/', '--prefix'],
      ['del', 'd/', '--prefix', '--prev-kv'],
      ['get', 'd/', '--prefix'],
      ['del', ''],
    ]);
    expect(results[2]).toMatchObject({ stdout: '2\n' });
    return results;
  });

  compat('txn', async (target) => {
    await put(target, ['t/a', 'one']);
    const txn = (text: string) => etcdctl(target, ['txn'], text);
    const results = [
      await txn('value("t/a") = "one"\n\nput t/a two\nget t/a\ndel t/none\n\nput t/a wrong\n\n'),
      await txn('value("t/a") = "one"\n\nput t/a wrong\n\nget t/a\nput t/b failed\n\n'),
      await txn('version("t/a") = "2"\ncreate("t/none") = "0"\nmod("t/a") > "1"\n\nget t/b\n\n\n'),
      await txn('lease("t/a") = "0"\n\nget t/ --prefix\n\n\n'),
      await txn('\nput t/x 1\nput t/x 2\n\n\n'),
      await txn('\nput t/x 1\ndel t/ --prefix\n\n\n'),
      await txn('value("t/a") ! "two"\n\n\nget t/a\n\n'),
    ];
    expect(results[0]).toMatchObject({ code: 0, stdout: 'SUCCESS\n\nOK\n\nt/a\ntwo\n\n0\n' });
    expect(results[4]).toMatchObject({
      error: 'Error: etcdserver: duplicate key given in txn request',
    });
    return results;
  });

  compat('watch', async (target) => {
    const base = await revision(target);
    await put(target, ['w/a', '1'], ['w/b', '2'], ['w/a', '3']);
    await etcdctl(target, ['del', 'w/b']);
    const from = `--rev=${base + 1}`;
    const live: string[] = [];
    live.push(
      ...(await etcdctlLines(target, ['watch', 'w/a', from], 9, () => put(target, ['w/a', '4']))),
    );
    const results = [
      live,
      await etcdctlLines(target, ['watch', 'w/', '--prefix', from], 11),
      await etcdctlLines(target, ['watch', 'w/a', from, '--prev-kv'], 8),
      await etcdctlLines(target, ['watch', 'w/b', 'w/c', `--rev=${base + 3}`], 3),
    ];
    expect(live).toEqual(['PUT', 'w/a', '1', 'PUT', 'w/a', '3', 'PUT', 'w/a', '4']);
    return results;
  });

  compat('leases', async (target) => {
    const granted = await etcdctlJson(target, ['lease', 'grant', '300']);
    const { ID } = granted as { ID: string };
    const id = BigInt(ID).toString(16);
    const ctl = (...args: string[]) => etcdctl(target, args);
    const results = [
      await ctl('put', 'l/a', 'x', `--lease=${id}`),
      await ctl('put', 'l/b', 'y', `--lease=${id}`),
      await ctl('lease', 'list'),
      await ctl('lease', 'timetolive', id, '--keys'),
      await ctl('lease', 'timetolive', id),
      await ctl('lease', 'keep-alive', '--once', id),
      await ctl('put', 'l/a', 'z', '--ignore-lease'),
      await ctl('lease', 'timetolive', id, '--keys'),
      await ctl('put', 'l/b', 'detached'),
      await ctl('lease', 'revoke', id),
      await ctl('get', 'l/', '--prefix'),
      await ctl('lease', 'revoke', id),
      await ctl('lease', 'timetolive', id),
      await ctl('lease', 'keep-alive', '--once', id),
      await ctl('put', 'l/c', 'x', `--lease=${id}`),
      await ctl('lease', 'list'),
    ];
    expect(results[10]).toMatchObject({ stdout: 'l/b\ndetached\n' });
    expect(results[14]).toMatchObject({ error: 'Error: etcdserver: requested lease not found' });
    // The id is the server's choice, and the seconds left depend on the moment.
    const text = JSON.stringify(results).replaceAll(new RegExp(`0*${id}`, 'g'), '<id>');
    // etcd lists attached keys in the order of a Go map, which is none.
    const sorted = (_: string, keys: string) => `keys([${keys.split(' ').sort().join(' ')}])`;
    return JSON.parse(
      text.replace(/remaining\(\d+s\)/g, 'remaining(<n>)').replace(/keys\(\[([^\]]*)\]\)/g, sorted),
    );
  });

  compat('a lock and an election, built on leases and transactions', async (target) => {
    const results = [
      await etcdctl(target, ['lock', 'lock/a', 'echo', 'locked']),
      (await etcdctlLines(target, ['elect', 'elect/a', 'me'], 2))[1],
    ];
    expect(results[0]).toMatchObject({ code: 0, stdout: 'locked\n' });
    expect(results[1]).toBe('me');
    return results;
  });

  compat('members, status, health, alarms, defragmentation', async (target) => {
    const hide = (text: string) =>
      text
        .replaceAll(/\b\d{15,20}\b/g, '<id>')
        .replaceAll(/\b[0-9a-f]{13,16}\b/g, '<id>')
        .replaceAll(/127\.0\.0\.1:\d+/g, '<address>')
        .replace(/took = .*/, 'took <n>');
    const list = await etcdctl(target, ['member', 'list']);
    expect(hide(list.stdout)).toBe(
      '<id>, started, m1, http://<address>, http://<address>, false\n',
    );
    const members = await etcdctlJson(target, ['member', 'list']);
    const status = await etcdctlJson(target, ['endpoint', 'status']);
    expect(status).toMatchObject([
      { Status: { version: expect.stringMatching(/^3\.\d+\.\d+$/), dbSize: expect.any(Number) } },
    ]);
    const health = await etcdctl(target, ['endpoint', 'health']);
    expect(health.code).toBe(0);
    const alarms = await etcdctl(target, ['alarm', 'list']);
    const defrag = await etcdctl(target, ['defrag']);
    expect(hide(defrag.stdout)).toBe('Finished defragmenting etcd member[<address>]\n');
    const table = await etcdctl(target, ['endpoint', 'status', '-w', 'table']);
    expect(table.stdout.split('\n')[1]).toContain('IS LEADER');
    // Masked by hand: the version is each one's own, and so are ids and ports wherever they stand.
    const plain = (value: unknown) =>
      hide(JSON.stringify(mask(value, 0)))
        .replaceAll(/"\d{15,}"/g, '<id>')
        .replaceAll(/"version":"[^"]*"/g, '<version>');
    return [hide(list.stdout), plain(members), plain(status), alarms, hide(defrag.stdout)];
  });

  // Last: it takes the history from the cases before.
  compat('compaction', async (target) => {
    await put(target, ['c/a', 'one'], ['c/a', 'two'], ['c/a', 'three']);
    const now = await revision(target);
    const results = await transcript(target, [
      ['compact', String(now - 1)],
      ['get', 'c/a', `--rev=${now - 2}`],
      ['get', 'c/a', `--rev=${now - 1}`],
      ['get', 'c/a'],
      ['compact', String(now - 1)],
      ['compact', String(now + 100)],
      ['compact', String(now), '--physical'],
      ['get', 'c/a', `--rev=${now}`],
      ['watch', 'c/a', '--rev=1'],
    ]);
    expect(results[1]).toMatchObject({
      error: 'Error: etcdserver: mvcc: required revision has been compacted',
    });
    expect(results[2]).toMatchObject({ stdout: 'c/a\ntwo\n' });
    return JSON.parse(
      JSON.stringify(results).replace(/compacted revision (\d+)/g, (_, n: string) => {
        return `compacted revision now+${Number(n) - now}`;
      }),
    );
  });
}
