import { describe, expect, it } from 'vitest';
import { fromHex, utf8Encode } from '../../../lib/bytes.ts';
import { inspectContent, looksLikeYaml } from './content.ts';
import { decodeKubernetes } from './kubernetes.ts';
import { packingOf, unpack } from './unpack.ts';
import { folderOf, MAX_REMEMBERED, type TextStore, ViewerMemory } from './viewer-memory.ts';
import { decodeWire, guessOf, printWire } from './wire.ts';

const hex = (text: string) => fromHex(text) ?? new Uint8Array();
const best = (value: Uint8Array | string) =>
  inspectContent(typeof value === 'string' ? utf8Encode(value) : value).best;

function varint(value: number): number[] {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...out, rest];
    out.push((rest % 128) | 0x80);
  }
}
type Part = string | number | Uint8Array;
/** A message of [number, value] pairs: text and bytes length-delimited, numbers as varints. */
function message(...fields: [number, Part][]): Uint8Array {
  const out: number[] = [];
  for (const [number, value] of fields) {
    if (typeof value === 'number') {
      out.push(...varint(number * 8), ...varint(value));
    } else {
      const bytes = typeof value === 'string' ? utf8Encode(value) : value;
      out.push(...varint(number * 8 + 2), ...varint(bytes.length), ...bytes);
    }
  }
  return Uint8Array.from(out);
}
async function packed(bytes: Uint8Array, format: 'gzip' | 'deflate'): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new CompressionStream(format));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

describe('the viewer that suits a value', () => {
  it.each([
    ['{"a": 1}', 'json'],
    ['[1, 2]', 'json'],
    ['42', 'text'],
    ['{"a": ', 'text'],
    ['plain words', 'text'],
    ['Error: no such file', 'text'],
    ['apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n', 'yaml'],
    ['- a\n- b', 'yaml'],
    ['a:\n  b: 1', 'yaml'],
    ['# note\n---\nkey: value', 'yaml'],
    ['[section]\nkey=value', 'text'],
    ['<?xml version="1.0"?><a/>', 'xml'],
    ['<beans><bean/></beans>', 'xml'],
    ['a < b > c', 'text'],
    ['', 'text'],
  ])('%j is shown as %s', (text, kind) => {
    expect(best(text)).toBe(kind);
  });

  it('goes by magic and form where it is no text', async () => {
    expect(best(hex('00ff10'))).toBe('hex');
    expect(best(await packed(utf8Encode('{"a":1}'), 'gzip'))).toBe('unpacked');
    expect(best(await packed(utf8Encode('{"a":1}'), 'deflate'))).toBe('unpacked');
    expect(best(message([1, 150], [2, 'testing\u0001']))).toBe('protobuf');
    expect(inspectContent(utf8Encode('eyJhIjogMX0geyJiIjogMn0=')).kinds).toContain('decoded');
    expect(inspectContent(utf8Encode('/config/checkout/limit')).kinds).not.toContain('decoded');
  });

  it('does not take prose for YAML', () => {
    expect(looksLikeYaml('Dear all:\nthis is a letter.\n')).toBe(false);
    expect(looksLikeYaml('one: 1\n\ttwo: 2')).toBe(false);
  });
});

describe('protobuf without a schema', () => {
  it('prints numbers, text and messages by field', () => {
    const inner = message([1, 'a'], [3, 7]);
    const fields = decodeWire(message([1, 150], [2, 'testing'], [3, inner], [3, inner]));
    expect(printWire(fields ?? [])).toBe(
      '1: 150\n2: "testing"\n3 {\n  1: "a"\n  3: 7\n}\n3 {\n  1: "a"\n  3: 7\n}',
    );
  });

  it('shows what the bits of a number may mean', () => {
    const negative = hex('08ffffffffffffffffff01');
    expect(printWire(decodeWire(negative) ?? [])).toBe('1: 18446744073709551615  # -1');
    expect(printWire(decodeWire(hex('09000000000000f03f')) ?? [])).toBe(
      '1: 0x3ff0000000000000  # 1',
    );
    expect(printWire(decodeWire(hex('0d0000803f')) ?? [])).toBe('1: 0x3f800000  # 1');
  });

  it('refuses what is no message: cut short, field 0, groups, a number of 11 bytes', () => {
    for (const bytes of ['0a05616263', '0001', '0b0c', `08${'ff'.repeat(10)}01`, '08']) {
      expect(decodeWire(hex(bytes)), bytes).toBeNull();
    }
    expect(guessOf(hex('ff00')).kind).toBe('bytes');
    expect(guessOf(utf8Encode('plain')).kind).toBe('text');
  });

  it('does not run away on nesting', () => {
    let deep = message([1, 'x\u0001']);
    for (let i = 0; i < 200; i++) deep = message([1, deep]);
    expect(printWire(decodeWire(deep) ?? []).split('\n').length).toBeLessThan(100);
  });
});

describe('Kubernetes objects', () => {
  const meta = message(
    [1, 'web'],
    [3, 'default'],
    [5, '0d1f-uid'],
    [7, 2],
    [8, message([1, 1_700_000_000])],
    [11, message([1, 'app'], [2, 'web'])],
    [11, message([1, 'tier'], [2, 'true'])],
    [13, message([1, 'ReplicaSet'], [3, 'web-1'], [5, 'apps/v1'], [6, 1])],
    [14, 'keep'],
    [17, message([1, 'kubectl'])],
  );
  const object = message([1, meta], [2, message([1, 3], [9, 'Always'])]);
  const envelope = message(
    [1, message([1, 'apps/v1'], [2, 'Deployment'])],
    [2, object],
    [3, ''],
    [4, ''],
  );
  const value = Uint8Array.from([...utf8Encode('k8s\0'), ...envelope]);

  it('are known by their magic and decoded without a schema', () => {
    expect(best(value)).toBe('kubernetes');
    expect(decodeKubernetes(value)).toMatchObject({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      name: 'web',
      namespace: 'default',
    });
    expect(decodeKubernetes(value)?.text).toBe(
      [
        'apiVersion: apps/v1',
        'kind: Deployment',
        'metadata:',
        '  name: web',
        '  namespace: default',
        '  uid: "0d1f-uid"',
        '  generation: 2',
        '  creationTimestamp: "2023-11-14T22:13:20Z"',
        '  labels:',
        '    app: web',
        '    tier: "true"',
        '  ownerReferences:',
        '    - kind: ReplicaSet',
        '      name: web-1',
        '      apiVersion: apps/v1',
        '      controller: true',
        '  finalizers:',
        '    - keep',
        '  managedFields: []  # 1',
        'fields:',
        '  2:',
        '    1: 3',
        '    9: Always',
      ].join('\n'),
    );
  });

  it('that are broken are told from those that are not', () => {
    expect(decodeKubernetes(utf8Encode('k8s\0garbage'))).toBeNull();
    expect(decodeKubernetes(value.subarray(0, 30))).toBeNull();
    const odd = message([1, message([1, 'v1'], [2, 'Odd'])], [2, message([2, 5])]);
    const decoded = decodeKubernetes(Uint8Array.from([...utf8Encode('k8s\0'), ...odd]));
    expect(decoded).toMatchObject({ kind: 'Odd', name: '' });
    expect(decoded?.text).toContain('fields:\n  2: 5');
  });
});

describe('unpacking', () => {
  it('gives back what was packed', async () => {
    const bytes = utf8Encode('{"a":1}'.repeat(100));
    for (const [format, packing] of [
      ['gzip', 'gzip'],
      ['deflate', 'zlib'],
    ] as const) {
      const small = await packed(bytes, format);
      expect(packingOf(small)).toBe(packing);
      expect(await unpack(small, packing)).toEqual({ ok: true, bytes });
    }
  });

  it('refuses a bomb, and says what is broken', async () => {
    const bomb = await packed(new Uint8Array(4_000_000), 'gzip');
    expect(bomb.length).toBeLessThan(20_000);
    expect(await unpack(bomb, 'gzip', 1_000_000)).toEqual({ ok: false, reason: 'tooLarge' });
    const cut = (await packed(utf8Encode('some text to be cut'), 'gzip')).subarray(0, 20);
    expect(await unpack(cut, 'gzip')).toEqual({ ok: false, reason: 'broken' });
  });
});

describe('the remembered viewer', () => {
  class Store implements TextStore {
    readonly items = new Map<string, string>();
    getItem = (name: string) => this.items.get(name) ?? null;
    setItem = (name: string, text: string) => void this.items.set(name, text);
  }
  const key = utf8Encode;

  it('holds for the folder and below, per cluster, and over a reload', () => {
    const store = new Store();
    const memory = new ViewerMemory(store, 'c1');
    memory.choose(key('/config/a'), 'hex');
    expect(memory.kindFor(key('/config/b'))).toBe('hex');
    expect(memory.kindFor(key('/config/deep/c'))).toBe('hex');
    expect(memory.kindFor(key('/other'))).toBeNull();
    memory.choose(key('/config/deep/c'), 'text');
    const again = new ViewerMemory(store, 'c1');
    expect(again.kindFor(key('/config/deep/x'))).toBe('text');
    expect(new ViewerMemory(store, 'c2').kindFor(key('/config/b'))).toBeNull();
    again.choose(key('/config/z'), null);
    expect(again.kindFor(key('/config/a'))).toBeNull();
  });

  it('is bounded, and survives a store that is broken', () => {
    const store = new Store();
    const memory = new ViewerMemory(store, 'c');
    for (let i = 0; i <= MAX_REMEMBERED; i++) memory.choose(key(`/${i}/k`), 'hex');
    expect(memory.kindFor(key('/0/k'))).toBeNull();
    expect(memory.kindFor(key('/1/k'))).toBe('hex');
    store.items.set('raftdeck.viewers.c', '{not json');
    expect(new ViewerMemory(store, 'c').kindFor(key('/1/k'))).toBeNull();
    expect(folderOf(key('a'))).toEqual(new Uint8Array());
    expect(folderOf(key('a/b/'))).toEqual(key('a/'));
  });
});
