import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runScript } from './testing/scenario.ts';
import { formatScript, parseScript } from './testing/script.ts';

/** UPDATE_SCENARIOS=1 writes what the commands print now into the scenarios: read the difference before you believe it. */
const isUpdate = process.env.UPDATE_SCENARIOS === '1';
const dir = join(import.meta.dirname, 'scenarios');

describe('scenarios of the Raft core', () => {
  for (const name of readdirSync(dir)
    .filter((one) => one.endsWith('.txt'))
    .sort()) {
    it(name.replace(/\.txt$/, '').replaceAll('-', ' '), () => {
      const path = join(dir, name);
      const text = readFileSync(path, 'utf8');
      const script = parseScript(text);
      const now = formatScript(script, runScript(script));
      if (isUpdate) writeFileSync(path, now);
      else expect(now).toBe(text);
    });
  }

  it('say where they go wrong', () => {
    const run = (text: string) => () => runScript(parseScript(text));
    expect(run('cluster\n\nfly 1\n')).toThrow('line 3, fly 1: there is no such command');
    expect(run('cluster\n\ndeliver 1>2\n')).toThrow('line 3, deliver 1>2: nothing is under way');
    expect(run('campaign 9\n')).toThrow('line 1, campaign 9: no node 9');
  });

  it('show what a command printed, and notice a difference', () => {
    const text = '# a comment\ncluster voters=1\n----\nwrong\n\n';
    const script = parseScript(text);
    expect(script.steps[0]?.expected).toEqual(['wrong']);
    expect(
      formatScript(
        script,
        script.steps.map(({ expected }) => expected),
      ),
    ).toBe(text);
    expect(formatScript(script, runScript(script))).not.toBe(text);
  });
});
