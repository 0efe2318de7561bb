import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deleteIf, type KeyAction, putIf } from '../../src-renderer/views/keys/code/actions.ts';
import { toEtcdctl } from '../../src-renderer/views/keys/code/etcdctl.ts';
import { toTypeScript } from '../../src-renderer/views/keys/code/typescript.ts';
import { onPath, ROOT } from '../support/cluster.ts';
import { etcdWanted, raftdeckWanted, type TargetName } from './support/targets.ts';
import { startThreeNodes, type ThreeNodes } from './support/three-nodes.ts';

const TARGETS: [TargetName, boolean][] = [
  ['etcd', etcdWanted],
  ['raftdeck', raftdeckWanted],
];
/** Every byte there is, and what shells, Go and JavaScript make something special of. */
const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, i) => i);
const bytes = (text: string) => new TextEncoder().encode(text);
const SAMPLES: [string, Uint8Array][] = [
  ['plain', bytes('plain')],
  ['quotes', bytes(`it's "so" \`date\` $(date) $HOME !! \\ \\n`)],
  ['lines', bytes('a\r\nb\n\n\tc\n')],
  ['EOF', bytes('x\nEOF\ny')],
  ['a dash', bytes('--flag')],
  ['empty', bytes('')],
  ['words of other scripts', bytes('键 🙂 \u2028')],
  ['every byte', EVERY_BYTE],
];

/** What is copied from the app does to the cluster what the app would have done. */
describe.each(TARGETS)('copied commands, run on %s', (name, wanted) => {
  if (!wanted || !onPath('etcdctl')) {
    it.skip(`SKIPPED: no ${name} or no etcdctl here`);
    return;
  }
  let cluster: ThreeNodes;
  // In the project's folder, so that the program finds its package.
  const dir = mkdtempSync(join(ROOT, 'dist', 'copied-'));
  const shell = (action: KeyAction) => {
    const command = toEtcdctl(action, cluster.hosts);
    if (command === null) throw new Error('etcdctl has no word for it');
    return execFileSync('bash', ['-c', command], { env: { ...process.env, ETCDCTL_API: '3' } });
  };
  const program = (action: KeyAction) => {
    const file = join(dir, 'program.mjs');
    const { outputText } = ts.transpileModule(toTypeScript(action, cluster.hosts), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    writeFileSync(file, outputText);
    return execFileSync(process.execPath, [file]).toString();
  };
  /** The value as etcdctl prints it in JSON, which is in base64. */
  const stored = (key: Uint8Array): Uint8Array | null => {
    const args = ['--endpoints', cluster.hosts.join(','), 'get', '-w', 'json', '--prefix', '/'];
    const { kvs = [] } = JSON.parse(execFileSync('etcdctl', args).toString()) as {
      kvs?: { key: string; value?: string }[];
    };
    const wantedKey = Buffer.from(key).toString('base64');
    const found = kvs.find((kv) => kv.key === wantedKey);
    return found === undefined ? null : new Uint8Array(Buffer.from(found.value ?? '', 'base64'));
  };
  beforeAll(async () => {
    cluster = await startThreeNodes(name);
  });
  afterAll(async () => {
    rmSync(dir, { recursive: true, force: true });
    await cluster?.stop();
  });

  it.each(SAMPLES)('etcdctl puts the very bytes: %s', (_, sample) => {
    const key = Uint8Array.from([...bytes('/shell/'), ...sample]);
    shell({ kind: 'put', key, value: sample });
    expect(stored(key)).toEqual(sample);
    const changed = Uint8Array.from([...sample, 0x21]);
    shell(putIf(key, changed, 1));
    expect(stored(key)).toEqual(sample);
    shell({ kind: 'delete', key });
    expect(stored(key)).toBeNull();
    shell(putIf(key, changed, 0));
    expect(stored(key)).toEqual(changed);
    shell(deleteIf(key, 1));
    expect(stored(key)).toEqual(changed);
  });

  it.each(SAMPLES)('the program puts the very bytes: %s', (_, sample) => {
    const key = Uint8Array.from([...bytes('/program/'), ...sample]);
    expect(program(putIf(key, sample, 0))).toBe('true\n');
    expect(stored(key)).toEqual(sample);
    expect(program({ kind: 'delete', key })).toBe('1\n');
  });

  it('reads at a revision', () => {
    const key = bytes('/read');
    shell({ kind: 'put', key, value: bytes('old') });
    const { header } = JSON.parse(
      execFileSync('etcdctl', [
        ...['--endpoints', cluster.hosts.join(','), '-w', 'json', 'put', '/read', 'new'],
      ]).toString(),
    ) as { header: { revision: number } };
    const action: KeyAction = { kind: 'get', key, revision: header.revision - 1 };
    expect(shell(action).toString()).toBe('/read\nold\n');
    expect(program(action)).toContain('6f 6c 64');
  });
});
