import { describe, expect, it } from 'vitest';
import type { NoteTopic } from '../../../src-main/contract/notes.ts';
import { ContractCallError } from '../../api/client.ts';
import { FakeClient } from '../../testing/fake-client.ts';
import { NotesModel } from './notes-model.svelte.ts';
import { OwnNotesModel } from './own-notes.svelte.ts';

const text = (en: string, zh: string) => ({ en, zh });
const claim = (en: string, zh: string) => ({ ...text(en, zh), sources: [] });
const row = (id: string, etcd: string, zookeeper: string, tryIt?: 'cas-loses') => ({
  id,
  label: text(`About ${id}`, `关于 ${id}`),
  etcd: { ...claim(etcd, `甲 ${etcd}`), ...(tryIt === undefined ? {} : { tryIt }) },
  zookeeper: claim(zookeeper, '领导者'),
  consul: claim('none', '无'),
});
const topics: NoteTopic[] = [
  {
    id: 'consensus',
    title: text('Consensus', '共识'),
    summary: text('-', '-'),
    rows: [row('who', 'leader', 'leader', 'cas-loses'), row('how', 'Raft', 'Zab')],
  },
  {
    id: 'limits',
    title: text('Limits', '限制'),
    summary: text('-', '-'),
    rows: [row('size', 'none', 'jute.maxbuffer')],
  },
];

async function loaded() {
  const fake = new FakeClient();
  const own = new OwnNotesModel(fake.client);
  const model = new NotesModel(fake.client, own);
  const done = model.load();
  fake.lastCall('notes.list').resolve(topics);
  await done;
  const keys = (language: 'en' | 'zh' = 'en') => model.shown(language).map(({ key }) => key);
  return { model, own, keys };
}

describe('NotesModel', () => {
  it('shows every row of every topic, and the first as open', async () => {
    const { model, keys } = await loaded();
    expect(keys()).toEqual(['consensus/who', 'consensus/how', 'limits/size']);
    expect([model.total, model.isFiltered]).toEqual([3, false]);
    expect(model.open(model.shown('en'))?.key).toBe('consensus/who');
    model.openKey = 'limits/size';
    expect(model.open(model.shown('en'))?.row.id).toBe('size');
    model.openKey = 'no/such';
    expect(model.open(model.shown('en'))?.key).toBe('consensus/who');
  });

  it('finds all words of a query, in the language of now or in English', async () => {
    const { model, keys } = await loaded();
    model.query = ' JUTE maxbuffer ';
    expect([keys(), keys('zh')]).toEqual([['limits/size'], ['limits/size']]);
    model.query = '领导者';
    expect(keys('zh')).toHaveLength(3);
    expect(keys('en')).toEqual([]);
    model.query = 'consensus zab';
    expect(keys()).toEqual(['consensus/how']);
    model.query = 'zab jute';
    expect(keys()).toEqual([]);
    expect(model.open(model.shown('en'))).toBeNull();
  });

  it('looks for words in the system that is shown alone', async () => {
    const { model, keys } = await loaded();
    model.query = 'jute';
    model.system = 'etcd';
    expect([keys(), model.systems]).toEqual([[], ['etcd']]);
    model.system = 'zookeeper';
    expect(keys()).toEqual(['limits/size']);
  });

  it('filters by topic, by experiment, and by notes of one’s own', async () => {
    const { model, own, keys } = await loaded();
    model.topicId = 'limits';
    expect(keys()).toEqual(['limits/size']);
    model.clearFilters();
    model.show = 'try';
    expect(keys()).toEqual(['consensus/who']);
    model.show = 'own';
    expect(keys()).toEqual([]);
    own.write('limits/size', 'our values are small');
    expect(keys()).toEqual(['limits/size']);
    model.show = 'all';
    model.query = 'values';
    expect(keys()).toEqual(['limits/size']);
    model.clearFilters();
    expect([keys().length, model.isFiltered]).toEqual([3, false]);
  });

  it('walks rows and stops at either end', async () => {
    const { model } = await loaded();
    const shown = model.shown('en');
    expect(model.step(shown, 1)?.key).toBe('consensus/how');
    expect(model.step(shown, 99)?.key).toBe('limits/size');
    expect(model.step(shown, 1)?.key).toBe('limits/size');
    expect(model.step(shown, -99)?.key).toBe('consensus/who');
    expect(model.step([], 1)).toBeNull();
  });

  it('says why they cannot be read', async () => {
    const fake = new FakeClient();
    const model = new NotesModel(fake.client, new OwnNotesModel(fake.client));
    const done = model.load();
    fake.lastCall('notes.list').reject(new ContractCallError('Unavailable', 'lost'));
    await done;
    expect([model.error, model.loaded]).toEqual(['lost.', false]);
  });
});
