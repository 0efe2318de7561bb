import { describe, expect, it } from 'vitest';
import { EXPERIMENT_IDS } from '../../../src-main/contract/notes.ts';
import { ContractCallError } from '../../api/client.ts';
import type { Message } from '../../lib/i18n/messages.ts';
import { trialWords } from '../../lib/i18n/views/notes-trial.ts';
import { FakeClient, summary } from '../../testing/fake-client.ts';
import { TrialDesk } from './trial-desk.svelte.ts';

const sent = (call: number) => ({
  ...{ kind: 'sent', call, who: 'a', method: 'Put', request: 'key=x', atMs: call * 10 },
});
const answer = (call: number, ok = true) => ({
  ...{ kind: 'answer', call, ok, response: 'revision=2', atMs: call * 10 + 1_000 },
});

function begun() {
  const fake = new FakeClient();
  const desk = new TrialDesk(fake.client, 'c1');
  fake.lastStream('clusters.follow').push([summary(), summary({ id: 'c2', name: 'other' })]);
  desk.start('cas-loses');
  const stream = fake.lastStream('notes.try');
  const run = desk.runOf('cas-loses');
  if (run === null) throw new Error('no run');
  return { fake, desk, stream, run };
}

describe('TrialRun', () => {
  it('pairs what was sent with what came back, in the order in which it was sent', () => {
    const { stream, run } = begun();
    expect([run.state, stream.input]).toEqual([
      'running',
      { clusterId: 'c1', experiment: 'cas-loses' },
    ]);
    stream.push({ kind: 'begin', cluster: 'dev', prefix: 'p/' });
    stream.push({ kind: 'say', say: 'bothRead', params: {}, atMs: 1 });
    for (const item of [sent(1), sent(2), answer(2, false)]) stream.push(item);
    expect(run.steps).toMatchObject([
      { kind: 'say' },
      { kind: 'sent', call: 1, answer: null },
      { kind: 'sent', call: 2, answer: { ok: false } },
    ]);
    stream.push(answer(1));
    expect(run.steps[1]).toMatchObject({ answer: { ok: true } });
    expect([run.begin?.prefix, run.tookMs]).toEqual(['p/', 1_020]);
  });

  it('ends with checks and a verdict', () => {
    const { stream, run } = begun();
    stream.push({ kind: 'check', check: 'firstWon', params: {}, held: true });
    stream.push({ kind: 'check', check: 'secondLost', params: {}, held: false });
    stream.push({ kind: 'cleanup', keys: 1, leases: 0, left: 0, cluster: null });
    stream.push({ kind: 'verdict', held: false });
    stream.end(null);
    expect(run.checks.map(({ held }) => held)).toEqual([true, false]);
    expect([run.state, run.verdict?.held, run.error]).toEqual(['ended', false, null]);
    expect(run.cleanup?.left).toBe(0);
  });

  it('has no verdict where it failed or was stopped', () => {
    const failed = begun();
    failed.stream.end(new ContractCallError('Unavailable', 'no leader', 'wait'));
    expect([failed.run.state, failed.run.error]).toEqual(['ended', 'no leader. wait']);
    const stopped = begun();
    stopped.run.stop();
    expect([stopped.stream.closed, stopped.run.state]).toEqual([true, 'ended']);
    expect([stopped.run.wasStopped, stopped.run.verdict]).toEqual([true, null]);
  });
});

describe('TrialDesk', () => {
  it('runs one of a kind at a time, and a new one after that', () => {
    const { fake, desk, stream, run } = begun();
    desk.start('cas-loses');
    expect(fake.streams.filter(({ name }) => name === 'notes.try')).toHaveLength(1);
    stream.end(null);
    desk.start('cas-loses');
    expect(desk.runOf('cas-loses')).not.toBe(run);
    desk.start('lease-expiry');
    expect(fake.streams.filter(({ name }) => name === 'notes.try')).toHaveLength(3);
    desk.dispose();
    expect(fake.streams.every(({ closed }) => closed)).toBe(true);
  });

  it('offers local clusters that take writes, the current one first', () => {
    const { fake, desk } = begun();
    const follow = fake.lastStream('clusters.follow');
    expect(desk.cluster?.id).toBe('c1');
    follow.push([
      summary({ id: 'far', kind: 'remote' }),
      summary({ id: 'down', health: 'noQuorum' }),
      summary({ id: 'c2', name: 'other' }),
    ]);
    expect(desk.usable.map(({ id }) => id)).toEqual(['c2']);
    expect(desk.cluster?.id).toBe('c2');
    follow.push([summary({ id: 'far', kind: 'remote' })]);
    expect(desk.cluster).toBeNull();
    desk.start('watch-history');
    expect(desk.runOf('watch-history')).toBeNull();
  });
});

describe('the words of experiments', () => {
  const names = (message: Message) => {
    const texts = typeof message === 'string' ? [message] : [message.one, message.other];
    return [...new Set(texts.flatMap((text) => text.match(/\{\w+\}/g) ?? []))].sort();
  };

  it('name the same parameters in both languages', () => {
    for (const [key, message] of Object.entries(trialWords.en)) {
      const translated = trialWords.zh[key as keyof typeof trialWords.zh];
      expect(names(translated), key).toEqual(names(message));
    }
  });

  it('explain every experiment', () => {
    for (const id of EXPERIMENT_IDS) expect(trialWords.en[`about.${id}`]).not.toBe('');
  });
});
