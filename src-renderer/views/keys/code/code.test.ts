import { describe, expect, it } from 'vitest';
import { utf8Encode } from '../../../lib/bytes.ts';
import { deleteIf, putIf } from './actions.ts';
import { toEtcdctl } from './etcdctl.ts';
import { toTypeScript } from './typescript.ts';

const key = utf8Encode('/config/a');
const ENDPOINTS = ['http://127.0.0.1:2379', 'https://b:2379'];
const HEAD = 'etcdctl --endpoints=127.0.0.1:2379,https://b:2379';

describe('as etcdctl', () => {
  it('says reads, writes and deletions', () => {
    expect(toEtcdctl({ kind: 'get', key, revision: 5 }, ENDPOINTS)).toBe(
      `${HEAD} get --rev=5 /config/a`,
    );
    expect(toEtcdctl({ kind: 'put', key, value: utf8Encode("it's"), lease: '1f' }, ENDPOINTS)).toBe(
      `${HEAD} put --lease=1f /config/a 'it'\\''s'`,
    );
    expect(toEtcdctl({ kind: 'delete', key: utf8Encode('-x'), prefix: true }, ENDPOINTS)).toBe(
      `${HEAD} del --prefix -- -x`,
    );
    expect(toEtcdctl({ kind: 'watch', key, startRevision: 9 }, ENDPOINTS)).toBe(
      `${HEAD} watch --rev=9 /config/a`,
    );
  });

  it('says what depends on a revision as a transaction', () => {
    expect(toEtcdctl(putIf(key, utf8Encode('a\n"b"'), 7, { ignoreLease: true }), ENDPOINTS)).toBe(
      `${HEAD} txn <<'EOF'\nmod("/config/a") = "7"\n\nput --ignore-lease "/config/a" "a\\n\\"b\\""\n\n\nEOF`,
    );
    expect(toEtcdctl(deleteIf(key, 7), ENDPOINTS)).toContain('del "/config/a"');
  });

  it('goes through standard input where an argument cannot hold the bytes', () => {
    const value = Uint8Array.of(0, 255, 10);
    expect(toEtcdctl({ kind: 'put', key, value }, ENDPOINTS)).toBe(
      `${HEAD} txn <<'EOF'\n\nput "/config/a" "\\x00\\xff\\n"\n\n\nEOF`,
    );
    const long = new Uint8Array(200_000).fill(0x61);
    expect(toEtcdctl({ kind: 'put', key, value: long }, ENDPOINTS)).toContain('txn <<');
    expect(toEtcdctl({ kind: 'watch', key: value }, ENDPOINTS)).toBeNull();
  });
});

describe('as TypeScript', () => {
  it('is a program of its own', () => {
    expect(toTypeScript({ kind: 'get', key }, ['127.0.0.1:2379'])).toBe(
      [
        "import { Etcd3 } from 'etcd3';",
        '',
        "const client = new Etcd3({ hosts: ['http://127.0.0.1:2379'] });",
        "const value = await client.get('/config/a').buffer();",
        'console.log(value);',
        'client.close();',
        '',
      ].join('\n'),
    );
  });

  it('keeps every byte of keys and values', () => {
    const text = toTypeScript(putIf(Uint8Array.of(255, 0), utf8Encode('it\'s "so"\n\\'), 3), []);
    expect(text).toContain("client.if(Buffer.from('/wA=', 'base64'), 'Mod', '==', 3)");
    expect(text).toContain(`.value('it\\'s "so"\\n\\\\')`);
  });

  it('gives leases in decimals, as etcd3 takes them', () => {
    const text = toTypeScript({ kind: 'put', key, value: key, lease: '1f' }, []);
    expect(text).toContain(".lease('31')");
  });
});
