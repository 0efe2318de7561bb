import { describe, expect, it } from 'vitest';
import { utf8Encode } from './bytes.ts';
import { Etcdctl, shellQuote } from './etcdctl.ts';

/**
 * Only this test runs a shell. The renderer is checked without Node's types, so it is asked for by
 * name.
 */
const shellModule = 'node:child_process';
const { execFileSync } = (await import(shellModule)) as {
  execFileSync(file: string, args: readonly string[]): Uint8Array;
};

const bytes = utf8Encode;
const ctl = new Etcdctl(['http://127.0.0.1:2379', 'https://b:2379']);
const HEAD = 'etcdctl --endpoints=127.0.0.1:2379,https://b:2379';

/** What bash makes of a quoted argument. */
function unquoted(quoted: string): Uint8Array {
  return new Uint8Array(execFileSync('bash', ['-c', `printf '%s' ${quoted}`]));
}

describe('shellQuote', () => {
  it.each([
    '/config/a',
    '',
    'two words',
    "it's",
    '$(rm -rf ~)`x`"',
    'a\\b',
    'line\nbreak\ttab',
    '键 🙂',
    '-dash',
    '*?[a]~',
    '!history',
  ])('survives the shell: %j', (text) => {
    expect(unquoted(shellQuote(text))).toEqual(bytes(text));
  });

  it('survives it for bytes that are no UTF-8', () => {
    const raw = Uint8Array.from({ length: 255 }, (_, i) => i + 1);
    expect(unquoted(shellQuote(raw))).toEqual(raw);
  });

  it('leaves plain words as they are', () => {
    expect(shellQuote('/config/a-b_c.json')).toBe('/config/a-b_c.json');
  });
});

describe('commands', () => {
  it('of keys', () => {
    expect(ctl.get(bytes('/a'))).toBe(`${HEAD} get /a`);
    expect(ctl.get(bytes(''), { prefix: true, keysOnly: true, revision: 7 })).toBe(
      `${HEAD} get --prefix --keys-only --rev=7 ''`,
    );
    expect(ctl.put(bytes('-k'), bytes('a b'), { lease: '1a' })).toBe(
      `${HEAD} put --lease=1a -- -k 'a b'`,
    );
    expect(ctl.put(bytes('k'), bytes('v'), { ignoreLease: true })).toBe(
      `${HEAD} put --ignore-lease k v`,
    );
    expect(ctl.del(bytes('a'), { rangeEnd: bytes('b') })).toBe(`${HEAD} del a b`);
    expect(ctl.del(bytes('a'), { rangeEnd: Uint8Array.of(0) })).toBe(`${HEAD} del --from-key a`);
    expect(ctl.watch(bytes('/a/'), { prefix: true, startRevision: 5, prevValue: true })).toBe(
      `${HEAD} watch --prefix --rev=5 --prev-kv /a/`,
    );
  });

  it('of leases and storage', () => {
    expect(ctl.leaseGrant(60)).toBe(`${HEAD} lease grant 60`);
    expect(ctl.leaseKeepAlive('1a', { once: true })).toBe(`${HEAD} lease keep-alive --once 1a`);
    expect(ctl.leaseTimeToLive('1a')).toBe(`${HEAD} lease timetolive --keys 1a`);
    expect(ctl.compact(9, { physical: true })).toBe(`${HEAD} compact --physical 9`);
  });

  it('of a compare-and-swap, as etcdctl txn reads it', () => {
    const text = ctl.putIf(bytes('a"b'), Uint8Array.of(0x0a, 0xff), 7);
    expect(text.split('\n')).toEqual([
      `${HEAD} txn <<'EOF'`,
      'mod("a\\"b") = "7"',
      '',
      'put "a\\"b" "\\n\\xff"',
      '',
      '',
      'EOF',
    ]);
    expect(ctl.delIf(bytes('a'), 3)).toContain('\ndel "a"\n');
  });
});
