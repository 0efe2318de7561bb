import { describe, expect, it } from 'vitest';
import type { NoteTopic } from '../../../src-main/contract/views.ts';
import { ContractCallError } from '../../api/client.ts';
import { FakeClient } from '../../testing/fake-client.ts';
import { NotesModel } from './notes-model.svelte.ts';

const files = import.meta.glob<NoteTopic>('../../../resources/notes/*.json', {
  eager: true,
  import: 'default',
});
const topics = Object.values(files);

describe('the notes', () => {
  it('are there, each once', () => {
    expect(topics.length).toBeGreaterThanOrEqual(8);
    expect(new Set(topics.map((topic) => topic.id)).size).toBe(topics.length);
  });

  it.each(topics.map((topic) => [topic.id, topic] as const))('%s is whole', (_, topic) => {
    const cells = topic.rows.flatMap((row) => [row.label, row.etcd, row.zookeeper, row.consul]);
    for (const cell of [topic.title, topic.summary, ...cells]) {
      expect(cell.en.trim()).not.toBe('');
      expect(cell.zh.trim()).not.toBe('');
      expect(cell.zh).not.toMatch(/\p{Script=Han}[,;:]/u);
    }
    expect(topic.rows.length).toBeGreaterThan(0);
    const labels = topic.rows.map((row) => row.label.en);
    expect(new Set(labels).size).toBe(labels.length);
    const urls = topic.sources.map((source) => source.url);
    expect(new Set(urls).size).toBe(urls.length);
    for (const url of urls) expect(url).toMatch(/^https:\/\//);
    // Every one of the three is backed by a source, where the topic is about all of them.
    expect(topic.sources.length).toBeGreaterThanOrEqual(3);
  });
});

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
    expect(found.map((topic) => topic.id).sort()).toEqual(['limits', 'transactions']);
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
