import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../base/logger.ts';
import { EXPERIMENT_IDS, NOTE_SYSTEMS, type NoteTopic } from '../contract/notes.ts';
import { loadNotes, noteFileSchema, noteSourcesSchema, SOURCES_FILE } from './notes.ts';
import { packageRoot } from './package-root.ts';

const FOLDER = join(packageRoot(), 'resources', 'notes');
const read = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(join(FOLDER, name), 'utf8'));
const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.json')).sort();
const topicFiles = files.filter((name) => name !== SOURCES_FILE);
const sources = noteSourcesSchema.parse(await read(SOURCES_FILE));

/** What the issue of comparing them asks to be covered. */
const TOPICS = [
  ...['data-model', 'api', 'consensus', 'reads', 'watch', 'leases', 'transactions', 'locks'],
  ...['discovery', 'membership', 'security', 'multi-dc', 'limits', 'operations', 'history'],
  ...['ecosystem', 'choosing', 'migration'],
];
const claimsOf = (topic: NoteTopic) =>
  topic.rows.flatMap((row) => NOTE_SYSTEMS.map((system) => ({ row, system, claim: row[system] })));

describe('the notes that come with the app', () => {
  it('cover every topic, each in a file of its name', async () => {
    const topics = await loadNotes(FOLDER, silentLogger);
    expect(topics.map((topic) => topic.id)).toEqual(TOPICS);
    for (const [i, name] of topicFiles.entries()) {
      expect(name).toBe(`${String(i + 1).padStart(2, '0')}-${TOPICS[i]}.json`);
    }
  });

  it.each(topicFiles)('%s is whole: both languages, a source for every claim', async (name) => {
    const file = noteFileSchema.parse(await read(name));
    const rowIds = file.rows.map((row) => row.id);
    expect(new Set(rowIds).size).toBe(rowIds.length);
    for (const row of file.rows) {
      for (const system of NOTE_SYSTEMS) {
        const { sources: cited } = row[system];
        const unknown = cited.filter(({ source }) => !Object.hasOwn(sources, source));
        expect(unknown, `${file.id}/${row.id}/${system}`).toEqual([]);
        const twice = cited.map(({ source, section }) => `${source}#${section}`);
        expect(new Set(twice).size).toBe(twice.length);
      }
    }
  });

  it('write Chinese as Chinese is written', async () => {
    for (const topic of await loadNotes(FOLDER, silentLogger)) {
      const texts = [topic.title, topic.summary, ...claimsOf(topic).map(({ claim }) => claim)];
      for (const text of texts) {
        expect(text.zh, text.en).not.toMatch(/\p{Script=Han}[,;:?!]/u);
        expect(text.zh, text.en).toMatch(/[\p{Script=Han}A-Z]/u);
        expect(text.en).not.toMatch(/\p{Script=Han}/u);
      }
    }
  });

  it('offer each experiment somewhere, and beside etcd alone', async () => {
    const topics = await loadNotes(FOLDER, silentLogger);
    const offered = topics.flatMap((topic) =>
      topic.rows.flatMap((row) => (row.etcd.tryIt === undefined ? [] : [row.etcd.tryIt])),
    );
    expect([...new Set(offered)].sort()).toEqual([...EXPERIMENT_IDS].sort());
  });

  it('cite every source that is listed, and list each page once', async () => {
    const topics = await loadNotes(FOLDER, silentLogger);
    const cited = new Set(
      topics.flatMap((topic) =>
        claimsOf(topic).flatMap(({ claim }) => claim.sources.map((source) => source.url)),
      ),
    );
    const listed = Object.values(sources).map((source) => source.url);
    expect([...cited].sort()).toEqual([...listed].sort());
    expect(new Set(listed).size).toBe(listed.length);
  });

  it('back what they say of a system with a source of that system, but for comparisons', async () => {
    const hosts = {
      etcd: /etcd|raft\.github\.io/,
      zookeeper: /zookeeper|curator|etcd/,
      consul: /hashicorp|raft\.github\.io|etcd\.io/,
    };
    for (const topic of await loadNotes(FOLDER, silentLogger)) {
      for (const { row, system, claim } of claimsOf(topic)) {
        const fits = claim.sources.some(({ url }) => hosts[system].test(url));
        expect(fits, `${topic.id}/${row.id}/${system}`).toBe(true);
      }
    }
  });
});

describe('loadNotes', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'raftdeck-notes-'));
    const page = { title: 'A page', url: 'https://etcd.io/docs/' };
    await writeFile(join(dir, SOURCES_FILE), JSON.stringify({ page }));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const text = { en: 'a', zh: '甲' };
  const claim = { ...text, sources: [{ source: 'page', section: 'Watch' }] };
  const row = { id: 'one', label: text, etcd: claim, zookeeper: claim, consul: claim };
  const topic = { id: 'consensus', title: text, summary: text, rows: [row] };
  const withEtcd = (etcd: unknown) => ({ ...topic, rows: [{ ...row, etcd }] });
  const warned = () => {
    const warnings: unknown[] = [];
    const warn = (_: string, fields?: unknown) => warnings.push(fields);
    return { warnings, logger: { ...silentLogger, warn } };
  };

  it('reads topics in order and puts the sources in the place of their names', async () => {
    await writeFile(join(dir, '02.json'), JSON.stringify({ ...topic, id: 'two' }));
    const etcd = { ...claim, tryIt: 'cas-loses' };
    await writeFile(join(dir, '01.json'), JSON.stringify(withEtcd(etcd)));
    await writeFile(join(dir, 'README.md'), 'no note');
    const topics = await loadNotes(dir, silentLogger);
    expect(topics.map((note) => note.id)).toEqual(['consensus', 'two']);
    expect(topics[0]?.rows[0]?.etcd).toEqual({
      ...text,
      sources: [{ title: 'A page', url: 'https://etcd.io/docs/', section: 'Watch' }],
      tryIt: 'cas-loses',
    });
  });

  it.each([
    ['no JSON', '{'],
    ['no source', withEtcd({ ...claim, sources: [] })],
    ['an unknown source', withEtcd({ ...claim, sources: [{ source: 'other', section: 'x' }] })],
    ['a source without a section', withEtcd({ ...claim, sources: [{ source: 'page' }] })],
    ['a language missing', withEtcd({ ...claim, zh: undefined })],
    ['an empty text', withEtcd({ ...claim, zh: ' ' })],
    ['an experiment that there is not', withEtcd({ ...claim, tryIt: 'no-such' })],
    ['no rows', { ...topic, rows: [] }],
  ])('leaves out a file with %s, with a warning', async (_, content) => {
    const written = typeof content === 'string' ? content : JSON.stringify(content);
    await writeFile(join(dir, '01.json'), written);
    await writeFile(join(dir, '02.json'), JSON.stringify({ ...topic, id: 'two' }));
    const { logger, warnings } = warned();
    expect((await loadNotes(dir, logger)).map((note) => note.id)).toEqual(['two']);
    expect(warnings).toMatchObject([{ file: '01.json' }]);
  });

  it('offers no experiment beside another system', async () => {
    const wrong = { ...row, consul: { ...claim, tryIt: 'cas-loses' } };
    await writeFile(join(dir, '01.json'), JSON.stringify({ ...topic, rows: [wrong] }));
    expect(await loadNotes(dir, silentLogger)).toEqual([]);
  });

  it('takes no source over plain HTTP', async () => {
    const page = { title: 'A page', url: 'http://etcd.io/docs/' };
    await writeFile(join(dir, SOURCES_FILE), JSON.stringify({ page }));
    await writeFile(join(dir, '01.json'), JSON.stringify(topic));
    const { logger, warnings } = warned();
    expect(await loadNotes(dir, logger)).toEqual([]);
    expect(warnings).toMatchObject([{ file: SOURCES_FILE }]);
  });

  it('has none where there is no folder', async () => {
    expect(await loadNotes(join(dir, 'none'), silentLogger)).toEqual([]);
  });
});
