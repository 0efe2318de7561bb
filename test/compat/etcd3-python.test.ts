import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { compatSuite } from './support/compat.ts';
import type { Target } from './support/targets.ts';

const SCRIPT = join(import.meta.dirname, 'support/etcd3_client.py');
const SECTIONS = ['kv', 'transactions', 'lease', 'lock', 'watch', 'members', 'errors'];
const SCRIPT_TIMEOUT_MS = 60_000;

/** The system's Python has the package, where Debian put it, even if another one comes first. */
const PYTHON = ['python3', '/usr/bin/python3'].find(
  (python) => spawnSync(python, ['-c', 'import etcd3']).status === 0,
);

/** Runs one section of the script, which asserts for itself, and answers what it saw. */
async function runSection(python: string, target: Target, section: string): Promise<unknown> {
  const port = target.address.split(':')[1] as string;
  const { stdout } = await promisify(execFile)(python, [SCRIPT, port, section], {
    timeout: SCRIPT_TIMEOUT_MS,
  });
  return JSON.parse(stdout);
}

if (PYTHON === undefined) {
  it.skip('SKIPPED: Python has no package etcd3 here (Debian: python3-etcd3)');
} else {
  compatSuite('the Python package etcd3', [], (compat) => {
    for (const section of SECTIONS) {
      compat(section, async (target) => {
        const seen = await runSection(PYTHON, target, section);
        expect(seen).toBeInstanceOf(Array);
        return seen;
      });
    }
  });
}
