import { describe, expect, it, vi } from 'vitest';
import type { ClusterEvent, ClusterHealth } from '../../../src-main/contract/views.ts';
import { ContractCallError } from '../../api/client.ts';
import { I18n } from '../../lib/i18n/i18n.svelte.ts';
import { overviewWords } from '../../lib/i18n/views/overview.ts';
import { downNode, FakeClient, node, overview, summary } from '../../testing/fake-client.ts';
import { NodeActions } from './node-actions.svelte.ts';
import { eventText, isLagging, LAG_ENTRIES, sentenceOf, shortAddress } from './overview-model.ts';
import { capabilities, diagnosis, recoverySteps, startOrder } from './quorum-help.ts';
import { FIRST_SPAN_MS, HISTORY_MS, placeOf, RoleHistory } from './role-history.svelte.ts';

const w = new I18n('en').words(overviewWords);
const leader = node('n1', { role: 'leader' });

function sentence(
  health: ClusterHealth,
  o = overview([leader, node('n2'), node('n3')]),
  alarms: string[] = [],
) {
  const { lead, rest } = sentenceOf(summary({ health, alarms }), o, w, 42_000, 'en');
  return `${lead} ${rest}`;
}

describe('the sentence', () => {
  it('says how things are', () => {
    expect(sentence('healthy')).toBe(
      'Healthy. n1 leads term 7 for 42 s. One more node may fail without loss of service.',
    );
    expect(sentence('degraded', overview([leader, node('n2'), downNode('n3')]))).toBe(
      '2 of 3 up. n1 leads term 7 for 42 s. No further node may fail without loss of service.',
    );
    expect(sentence('healthy', overview([leader]))).toContain('It is the only node');
    const five = [leader, ...['n2', 'n3', 'n4', 'n5'].map((name) => node(name))];
    expect(sentence('healthy', overview(five))).toContain('2 more nodes may fail');
  });

  it('says what is missing without quorum, and since when', () => {
    const lost = overview([node('n1', { role: 'candidate' }), downNode('n2'), downNode('n3')], {
      noLeaderSinceMs: 2_000,
    });
    expect(sentence('noQuorum', lost)).toMatch(
      /^No quorum\. 1 of 3 nodes is up, and quorum is 2\. No leader since [\d:]+, for 40 s\.$/,
    );
    const split = overview([node('n1'), node('n2'), node('n3')], { noLeaderSinceMs: 2_000 });
    expect(sentence('noQuorum', split)).toContain('3 of 3 nodes are up, but no leader was elected');
  });

  it('tells an election, an alarm, and that nothing runs', () => {
    const o = overview([node('n2', { role: 'candidate' }), node('n3'), downNode('n1')], {
      noLeaderSinceMs: 41_000,
    });
    expect(sentence('degraded', o)).toContain('Electing. No leader since');
    expect(sentence('degraded', undefined, ['NOSPACE'])).toContain('NOSPACE alarm. n1 leads');
    expect(sentence('stopped')).toBe('Stopped. No node runs. Their data is kept.');
    expect(sentence('unreachable', overview([]))).toContain('No endpoint answers');
  });
});

describe('events', () => {
  const event = (kind: ClusterEvent['kind'], detail: ClusterEvent['detail']): ClusterEvent => ({
    id: 1,
    atMs: 0,
    node: 'n2',
    kind,
    text: 'from main',
    detail,
  });

  it('are worded here', () => {
    expect(eventText(event('leader', { term: 8, noLeaderMs: 391 }), w, 'en')).toBe(
      'n2 leads in term 8, after 391 ms without a leader',
    );
    expect(eventText(event('leader', { term: 8, noLeaderMs: 61_000 }), w, 'en')).toContain(
      '1 min 1 s',
    );
    expect(eventText(event('crashed', { exit: 'killed by SIGKILL' }), w, 'en')).toBe(
      'Crashed: killed by SIGKILL',
    );
    expect(eventText(event('compacted', { revision: 41_002 }), w, 'en')).toContain('41,002');
    expect(eventText(event('alarm', { type: 'NOSPACE' }), w, 'en')).toContain('disarmed');
    expect(eventText(event('later' as never, {}), w, 'en')).toBe('from main');
  });
});

it('marks a node that is clearly behind, not one that is read a moment earlier', () => {
  const at = (appliedIndex: number) => node('n2', { appliedIndex });
  const o = (n: ReturnType<typeof at>) => overview([node('n1', { commitIndex: 1_000 }), n]);
  expect(isLagging(at(1_000 - LAG_ENTRIES), o(at(1_000 - LAG_ENTRIES)))).toBe(true);
  expect(isLagging(at(1_001 - LAG_ENTRIES), o(at(1_001 - LAG_ENTRIES)))).toBe(false);
});

it('shortens addresses of this machine only', () => {
  expect(shortAddress('http://127.0.0.1:2379')).toBe(':2379');
  expect(shortAddress('https://10.0.0.1:2379')).toBe('10.0.0.1:2379');
});

describe('help without quorum', () => {
  const lost = overview([
    node('n1', { role: 'candidate' }),
    downNode('n2', 'crashed', 'exited with code 2: disk full'),
    downNode('n3'),
  ]);

  it('starts as many as are needed, those first that were stopped on purpose', () => {
    expect(startOrder(lost).map((n) => n.name)).toEqual(['n3', 'n2']);
    const steps = recoverySteps(summary(), lost, w);
    expect(steps.map((step) => step.start)).toEqual([['n3'], [], []]);
    expect(steps[1]?.title).toBe('Then start n2');
    const none = overview([downNode('n1'), downNode('n2'), downNode('n3')]);
    expect(recoverySteps(summary(), none, w)[0]?.start).toEqual(['n1', 'n2']);
  });

  it('says why a node ended that has to be started', () => {
    const o = overview([
      node('n1'),
      downNode('n2', 'crashed', 'disk full'),
      downNode('n3', 'crashed', 'x'),
    ]);
    expect(recoverySteps(summary(), o, w)[0]?.text).toContain('disk full');
  });

  it('does not start what is up, nor what is not ours', () => {
    const split = overview([node('n1'), node('n2'), node('n3')]);
    expect(recoverySteps(summary(), split, w)[0]).toMatchObject({ start: [], logs: true });
    const remote = overview([
      node('a', { process: null }),
      ...['b', 'c'].map((name) => node(name, { process: null, role: 'down' })),
    ]);
    const steps = recoverySteps(summary({ kind: 'remote' }), remote, w);
    expect(steps[0]?.title).toBe('Bring 1 more member back: b, c');
    expect(steps.every((step) => step.start.length === 0)).toBe(true);
  });

  it('promises reads only where a node is up', () => {
    expect(capabilities(lost, w)[0]).toMatchObject({ works: true, text: 'from n1; may be stale' });
    const none = overview([downNode('n1')]);
    expect(capabilities(none, w).some((item) => item.works)).toBe(false);
  });

  it('can be told to others', () => {
    const text = diagnosis(summary({ health: 'noQuorum' }), lost, 'Diagnosis', 'No quorum.');
    expect(text).toContain('n2: down');
    expect(text).toContain('last exit: exited with code 2: disk full');
    expect(text).toContain('quorum 2 of 3');
  });
});

describe('NodeActions', () => {
  const healthy = overview([leader, node('n2'), node('n3')]);
  const setup = () => {
    const fake = new FakeClient();
    return { fake, actions: new NodeActions(fake.client, 'c1') };
  };

  it('runs what leaves a quorum at once', async () => {
    const { fake, actions } = setup();
    actions.ask('kill', 'n1', healthy);
    expect(actions.pending).toBeNull();
    expect(actions.running.get('n1')).toBe('kill');
    expect(fake.lastCall('nodes.kill').input).toEqual({ clusterId: 'c1', node: 'n1' });
    fake.lastCall('nodes.kill').resolve({});
    await vi.waitFor(() => expect(actions.running.size).toBe(0));
  });

  it('asks before it breaks the quorum, and runs after a yes', () => {
    const { fake, actions } = setup();
    const two = overview([leader, node('n2'), downNode('n3')]);
    actions.ask('stop', 'n2', two);
    expect(actions.pending).toEqual({
      kind: 'node',
      action: 'stop',
      node: 'n2',
      left: 1,
      had: true,
    });
    expect(fake.calls).toEqual([]);
    actions.cancel();
    expect(actions.pending).toBeNull();
    actions.ask('stop', 'n2', two);
    actions.confirm();
    expect(fake.lastCall('nodes.stop').input).toMatchObject({ node: 'n2' });
  });

  it('asks for a restart that interrupts service, never for a start', () => {
    const { fake, actions } = setup();
    actions.ask('restart', 'n1', overview([leader]));
    expect(actions.pending).toMatchObject({ action: 'restart', left: 0 });
    actions.ask('start', 'n2', overview([downNode('n2')]));
    expect(fake.lastCall('nodes.start').input).toMatchObject({ node: 'n2' });
  });

  it('does one thing to a node at a time, and tells a failure', async () => {
    const { fake, actions } = setup();
    actions.ask('stop', 'n1', healthy);
    actions.ask('kill', 'n1', healthy);
    expect(fake.calls).toHaveLength(1);
    fake.lastCall('nodes.stop').reject(new ContractCallError('FailedPrecondition', 'not running'));
    await vi.waitFor(() =>
      expect(actions.failure).toEqual({ action: 'stop', text: 'not running.' }),
    );
    expect(actions.running.size).toBe(0);
    actions.ask('kill', 'n1', healthy);
    expect(actions.failure).toBeNull();
  });

  it('asks before the cluster is stopped', async () => {
    const { fake, actions } = setup();
    actions.askStopCluster();
    expect(fake.calls).toEqual([]);
    actions.confirm();
    expect(actions.clusterBusy).toBe('stop');
    fake.lastCall('clusters.stop').resolve({});
    await vi.waitFor(() => expect(actions.clusterBusy).toBeNull());
  });
});

describe('RoleHistory', () => {
  const at = (atMs: number, role: 'leader' | 'candidate' | 'down', term: number | null = 7) =>
    overview([node('n1', { role, term })], { atMs });

  it('keeps runs of one role that touch each other', () => {
    const history = new RoleHistory();
    history.take(at(0, 'leader'));
    history.take(at(1_000, 'leader'));
    history.take(at(2_000, 'down', null));
    history.take(at(3_000, 'down', null));
    history.take(at(4_000, 'candidate', 8));
    const runs = history.lanes.get('n1') ?? [];
    expect(runs.map((run) => [run.role, run.fromMs, run.toMs])).toEqual([
      ['leader', 0, 2_000],
      ['down', 2_000, 4_000],
      ['candidate', 4_000, 4_000],
    ]);
  });

  it('forgets what is older than it shows', () => {
    const history = new RoleHistory();
    history.take(at(0, 'leader'));
    history.take(at(1_000, 'down', null));
    history.take(at(1_000 + HISTORY_MS + 1, 'leader', 9));
    history.take(at(2_000 + HISTORY_MS + 1, 'leader', 9));
    const roles = (history.lanes.get('n1') ?? []).map((run) => run.role);
    expect(roles).toEqual(['down', 'leader']);
    expect(history.spanMs(HISTORY_MS * 3)).toBe(HISTORY_MS);
    expect(new RoleHistory().spanMs(5_000)).toBe(FIRST_SPAN_MS);
  });

  it('places a run on the lane', () => {
    const run = { role: 'leader', fromMs: 50, toMs: 100, term: 1 } as const;
    expect(placeOf(run, 100, 100)).toEqual({ left: 0.5, width: 0.5 });
    expect(placeOf({ ...run, fromMs: -500 }, 100, 100)).toEqual({ left: 0, width: 1 });
  });
});
