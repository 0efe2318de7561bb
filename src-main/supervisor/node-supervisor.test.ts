import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePorts } from '../base/testing/free-ports.ts';
import { ClusterSupervisor, type ClusterSupervisorOptions } from './cluster-supervisor.ts';
import { composeDefinition, type Engine } from './definition.ts';
import { nodePaths } from './layout.ts';
import { describeExit, type NodeSnapshot } from './node-state.ts';
import { findOrphan, writePidFile } from './pid-file.ts';
import { isAlive } from './process-info.ts';
import { DEFAULT_RESTART_LIMITS } from './restart-policy.ts';
import { FakeClock, type FakeMode, type FakeNode, fakeNode, tempDir } from './testing/fixtures.ts';

/** Quick restarts, so that five of them take no time; the delays have their own test. */
const restartLimits = { ...DEFAULT_RESTART_LIMITS, baseDelayMs: 1, maxDelayMs: 5 };

interface Rig {
  fake: FakeNode;
  open(change?: Partial<ClusterSupervisorOptions>): Promise<ClusterSupervisor>;
  pidFile: string;
  clientPort: number;
}

async function rig(mode: FakeMode, engine: Engine = { kind: 'bundled' }): Promise<Rig> {
  const dir = await tempDir();
  const fake = await fakeNode(dir, mode);
  const [clientPort = 0, peerPort = 0] = await freePorts(2);
  const base = composeDefinition({ id: 'x', name: 'x', nodes: 1, basePort: 20_000, engine });
  const node = { name: 'n1', clientPort, peerPort, dataDir: 'nodes/n1/data' };
  const definition = { ...base, nodes: [node] };
  const open = async (change: Partial<ClusterSupervisorOptions> = {}) => {
    const supervisor = await ClusterSupervisor.open({
      definition,
      clusterDir: dir,
      nodeEntry: fake.entry,
      env: fake.env,
      restartLimits,
      followLogs: false,
      ...change,
    });
    onTestFinished(async () => {
      await supervisor.kill();
      supervisor.dispose();
    });
    return supervisor;
  };
  return { fake, open, pidFile: nodePaths(dir, node).pidFile, clientPort };
}

function n1(supervisor: ClusterSupervisor): NodeSnapshot {
  const [node] = supervisor.snapshot().nodes;
  if (node === undefined) throw new Error('one node');
  return node;
}

const inState = (supervisor: ClusterSupervisor, state: NodeSnapshot['state']) =>
  supervisor.waitFor(({ nodes }) => nodes[0]?.state === state);

function pidOf(supervisor: ClusterSupervisor): number {
  const { pid } = n1(supervisor);
  if (pid === null) throw new Error('it runs');
  return pid;
}

describe('a supervised node', () => {
  it('goes from stopped through starting to running, and back when asked', async () => {
    const { open, pidFile } = await rig('serve');
    const supervisor = await open();
    const states = ['stopped'];
    supervisor.onChange(({ nodes }) => {
      if (nodes[0] && states.at(-1) !== nodes[0].state) states.push(nodes[0].state);
    });
    await supervisor.start();
    await inState(supervisor, 'running');
    const pid = pidOf(supervisor);
    expect(JSON.parse(await readFile(pidFile, 'utf8'))).toMatchObject({ pid });
    await supervisor.stop();
    expect(states).toEqual(['stopped', 'starting', 'running', 'stopping', 'stopped']);
    expect(n1(supervisor)).toMatchObject({ pid: null, lastExit: { cause: 'stop', code: 0 } });
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(pidFile)).toBe(false);
  });

  it('is one process, however often its start is asked for', async () => {
    const { open } = await rig('serve');
    const supervisor = await open();
    await Promise.all([supervisor.start(), supervisor.startNode('n1'), supervisor.startNode('n1')]);
    const pid = pidOf(supervisor);
    await supervisor.start();
    expect(pidOf(supervisor)).toBe(pid);
  });

  it('is started again after a crash, with the signal told', async () => {
    const { open } = await rig('serve');
    const supervisor = await open();
    await supervisor.start();
    await inState(supervisor, 'running');
    const first = pidOf(supervisor);
    process.kill(first, 'SIGKILL');
    await supervisor.waitFor(({ nodes }) => nodes[0]?.restarts === 1);
    await inState(supervisor, 'running');
    expect(pidOf(supervisor)).not.toBe(first);
    const { lastExit } = n1(supervisor);
    expect(lastExit).toMatchObject({ cause: 'crash', signal: 'SIGKILL' });
    expect(lastExit && describeExit(lastExit)).toBe('killed by SIGKILL');
  });

  it('stays down after five quick failures, with its last words as reason', async () => {
    const { open, fake } = await rig('crash');
    const supervisor = await open();
    await supervisor.start();
    await inState(supervisor, 'crashed');
    const { lastExit, restarts } = n1(supervisor);
    expect(restarts).toBe(4);
    expect(lastExit).toMatchObject({ code: 7, reason: 'boom: disk on fire' });
    await fake.setMode('serve');
    await supervisor.start();
    await inState(supervisor, 'running');
    expect(n1(supervisor).restarts).toBe(0);
  });

  it('is not started again after a configuration error', async () => {
    const { open } = await rig('config');
    const supervisor = await open();
    await supervisor.start();
    await inState(supervisor, 'crashed');
    expect(n1(supervisor)).toMatchObject({
      restarts: 0,
      lastExit: { code: 2, reason: 'bad flag' },
    });
  });

  it('is not started again after a kill on purpose', async () => {
    const { open } = await rig('serve');
    const supervisor = await open();
    await supervisor.start();
    await inState(supervisor, 'running');
    await supervisor.killNode('n1');
    expect(n1(supervisor)).toMatchObject({
      state: 'stopped',
      nextRestartAtMs: null,
      lastExit: { cause: 'kill', signal: 'SIGKILL' },
    });
  });

  it('waits for its restart by the clock, twice as long each time', async () => {
    const { open } = await rig('crash');
    const clock = new FakeClock();
    const limits = { ...DEFAULT_RESTART_LIMITS, jitter: 0 };
    const supervisor = await open({ clock, restartLimits: limits, wallClockMs: () => 1_000 });
    await supervisor.start();
    for (const [restarts, delayMs] of [200, 400, 800, 1_600].entries()) {
      await inState(supervisor, 'backoff');
      expect(n1(supervisor)).toMatchObject({ restarts, nextRestartAtMs: 1_000 + delayMs });
      expect(clock.pendingMs()).toEqual([delayMs]);
      clock.advance(delayMs - 1);
      expect(n1(supervisor)).toMatchObject({ state: 'backoff', restarts });
      clock.advance(1);
      await supervisor.waitFor(({ nodes }) => nodes[0]?.restarts === restarts + 1);
      await supervisor.waitFor(({ nodes }) => nodes[0]?.state !== 'backoff');
    }
    await inState(supervisor, 'crashed');
    expect(clock.pendingMs()).toEqual([]);
  });

  it('stops waiting for its restart when told to stop', async () => {
    const { open } = await rig('crash');
    const supervisor = await open({
      restartLimits: { ...restartLimits, baseDelayMs: 60_000, maxDelayMs: 60_000 },
    });
    await supervisor.start();
    await inState(supervisor, 'backoff');
    expect(n1(supervisor).nextRestartAtMs).toBeGreaterThan(Date.now() + 30_000);
    await supervisor.stop();
    expect(n1(supervisor)).toMatchObject({ state: 'stopped', nextRestartAtMs: null });
  });

  it('is killed when it does not stop within the deadline', async () => {
    const { open } = await rig('stubborn');
    const supervisor = await open({ stopDeadlineMs: 50 });
    await supervisor.start();
    await inState(supervisor, 'running');
    await supervisor.stop();
    expect(n1(supervisor).lastExit).toMatchObject({ cause: 'stop', signal: 'SIGKILL' });
  });

  it('can be killed while it is slow to stop', async () => {
    const { open } = await rig('stubborn');
    const supervisor = await open({ stopDeadlineMs: 60_000 });
    await supervisor.start();
    await inState(supervisor, 'running');
    const stopping = supervisor.stop();
    await inState(supervisor, 'stopping');
    await supervisor.kill();
    await stopping;
    expect(n1(supervisor)).toMatchObject({ state: 'stopped', lastExit: { cause: 'kill' } });
  });

  it.skipIf(process.platform === 'win32')('can be paused, and still be stopped', async () => {
    const { open } = await rig('serve');
    const supervisor = await open();
    expect(() => supervisor.pauseNode('n1')).toThrow('does not run');
    await supervisor.start();
    await inState(supervisor, 'running');
    supervisor.pauseNode('n1');
    expect(n1(supervisor).paused).toBe(true);
    supervisor.resumeNode('n1');
    supervisor.pauseNode('n1');
    await supervisor.stop();
    expect(n1(supervisor)).toMatchObject({ paused: false, lastExit: { code: 0, cause: 'stop' } });
  });

  it('is not started on a port that somebody has', async () => {
    const { open, clientPort } = await rig('serve');
    const supervisor = await open();
    const server = createServer().listen(clientPort, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
    await expect(supervisor.start()).rejects.toMatchObject({
      code: 'PortInUse',
      message: expect.stringContaining(String(clientPort)),
    });
    await expect(supervisor.startNode('n1')).rejects.toMatchObject({ code: 'PortInUse' });
    expect(n1(supervisor)).toMatchObject({ state: 'crashed', pid: null });
  });

  it('says which program cannot be started', async () => {
    const { open } = await rig('serve', { kind: 'binary', path: '/nowhere/etcd' });
    const supervisor = await open();
    await expect(supervisor.start()).rejects.toMatchObject({
      code: 'SpawnFailed',
      message: expect.stringContaining('/nowhere/etcd'),
    });
    expect(n1(supervisor).state).toBe('crashed');
  });

  it('refuses names that it does not have', async () => {
    const supervisor = await (await rig('serve')).open();
    expect(() => supervisor.logs('n9')).toThrow('has no node n9');
  });
});

describe('an orphan', () => {
  /** A running node whose supervisor is gone. */
  async function orphaned(): Promise<Rig & { pid: number }> {
    const made = await rig('serve');
    const former = await made.open();
    await former.start();
    await inState(former, 'running');
    const pid = pidOf(former);
    former.dispose();
    return { ...made, pid };
  }

  it('is adopted, keeps its pid, and is started again when it crashes', async () => {
    const { open, pid } = await orphaned();
    const supervisor = await open();
    await inState(supervisor, 'running');
    expect(n1(supervisor)).toMatchObject({ pid, adopted: true });
    await supervisor.start();
    expect(pidOf(supervisor)).toBe(pid);
    process.kill(pid, 'SIGKILL');
    await supervisor.waitFor(({ nodes }) => nodes[0]?.restarts === 1);
    await inState(supervisor, 'running');
    expect(n1(supervisor)).toMatchObject({
      adopted: false,
      lastExit: { cause: 'crash', code: null },
    });
  });

  it('is stopped once it was adopted', async () => {
    const { open, pid } = await orphaned();
    const supervisor = await open();
    await supervisor.stop();
    expect(isAlive(pid)).toBe(false);
    expect(n1(supervisor)).toMatchObject({ state: 'stopped', lastExit: { cause: 'stop' } });
  });

  it('is stopped at once where that is the policy', async () => {
    const { open, pid } = await orphaned();
    const supervisor = await open({ orphans: 'stop' });
    expect(isAlive(pid)).toBe(false);
    expect(n1(supervisor).state).toBe('stopped');
  });

  it('is reported where that is the policy, and adopted by a start', async () => {
    const { open, pid } = await orphaned();
    const supervisor = await open({ orphans: 'report' });
    expect(n1(supervisor)).toMatchObject({ state: 'orphaned', pid });
    expect(isAlive(pid)).toBe(true);
    await supervisor.start();
    await inState(supervisor, 'running');
    expect(pidOf(supervisor)).toBe(pid);
  });
});

describe('a pid file', () => {
  async function bystander(): Promise<ChildProcess & { pid: number }> {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    await once(child, 'spawn');
    onTestFinished(() => void child.kill('SIGKILL'));
    return child as ChildProcess & { pid: number };
  }

  it('finds its process while that lives', async () => {
    const pidFile = join(await tempDir(), 'node.pid');
    const child = await bystander();
    await writePidFile(pidFile, child.pid, ['x']);
    expect(await findOrphan(pidFile)).toMatchObject({ pid: child.pid, paused: false });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await findOrphan(pidFile)).toBeNull();
  });

  it('whose pid another process has now leaves that process alone', async () => {
    const made = await rig('serve');
    const child = await bystander();
    await mkdir(dirname(made.pidFile), { recursive: true });
    await writePidFile(made.pidFile, child.pid, ['x']);
    const content = JSON.parse(await readFile(made.pidFile, 'utf8'));
    await writeFile(made.pidFile, JSON.stringify({ ...content, startTime: 'before:1' }));
    const supervisor = await made.open({ orphans: 'stop' });
    expect(n1(supervisor)).toMatchObject({ state: 'stopped', pid: null });
    expect(isAlive(child.pid)).toBe(true);
  });

  it.each(['', '{"pid":1}', 'garbage'])('that reads "%s" finds nothing', async (text) => {
    const pidFile = join(await tempDir(), 'node.pid');
    await writeFile(pidFile, text);
    expect(await findOrphan(pidFile)).toBeNull();
  });
});
