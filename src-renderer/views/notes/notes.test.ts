import { describe, expect, it } from 'vitest';
import type { NoteTopic } from '../../../src-main/contract/notes.ts';
import { ContractCallError } from '../../api/client.ts';
import { FakeClient } from '../../testing/fake-client.ts';
import { NotesModel } from './notes-model.svelte.ts';

const text = (en: string, zh: string) => ({ en, zh });
const claim = (en: string, zh: string) => ({ ...text(en, zh), sources: [] });
const topics: NoteTopic[] = [
  {
    id: 'consensus',
    title: text('Consensus', '共识'),
    summary: text('-', '-'),
    rows: [
      {
        id: 'who',
        label: text('Who leads', '谁领导'),
        etcd: claim('The leader', '领导者'),
        zookeeper: claim('The leader', '领导者'),
        consul: claim('The leader', '领导者'),
      },
    ],
  },
  {
    id: 'watch',
    title: text('Watch', '监视'),
    summary: text('-', '-'),
    rows: [
      {
        id: 'size',
        label: text('Size', '大小'),
        etcd: claim('none', '无'),
        zookeeper: claim('jute.maxbuffer', 'jute.maxbuffer'),
        consul: claim('none', '无'),
      },
    ],
  },
];

describe('NotesModel', () => {
  async function loaded() {
    const fake = new FakeClient();
    const model = new NotesModel(fake.client);
    const done = model.load();
    fake.lastCall('notes.list').resolve(topics);
    await done;
    return model;
  }

  it('opens the first topic, then the one that is chosen', async () => {
    const model = await loaded();
    expect(model.shown('en')).toEqual([topics[0]]);
    model.openId = 'watch';
    expect(model.shown('en').map((topic) => topic.id)).toEqual(['watch']);
    model.openId = 'nope';
    expect(model.shown('en')).toEqual([topics[0]]);
  });

  it('finds rows in all topics, in either language', async () => {
    const model = await loaded();
    model.query = 'jute.maxbuffer';
    const found = model.shown('en');
    expect(found.map((topic) => topic.id)).toEqual(['watch']);
    expect(found.every((topic) => topic.rows.length === 1)).toBe(true);
    model.query = '领导者';
    expect(model.shown('zh').length).toBeGreaterThan(0);
    expect(model.shown('en')).toEqual([]);
    model.query = 'zzzz';
    expect(model.shown('en')).toEqual([]);
  });

  it('says why they cannot be read', async () => {
    const fake = new FakeClient();
    const model = new NotesModel(fake.client);
    const done = model.load();
    fake.lastCall('notes.list').reject(new ContractCallError('Unavailable', 'lost'));
    await done;
    expect([model.error, model.loaded]).toEqual(['lost.', false]);
  });
});
