import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../base/logger.ts';
import { MAX_OWN_NOTE_CHARS, NOTES_CALL_INPUTS } from '../contract/notes.ts';
import { MAX_OWN_NOTES, OwnNotes } from './notes-own.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raftdeck-own-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const open = (wallClockMs = () => 1_000) => OwnNotes.open(dir, silentLogger, wallClockMs);
const at = (rowId: string, text: string) => ({ topicId: 'watch', rowId, text });

describe('OwnNotes', () => {
  it('begins with none and keeps what is written, also after a restart', async () => {
    const notes = await open();
    expect(notes.list()).toEqual([]);
    await notes.set(at('missed', 'we rely on this'));
    const all = await notes.set({ topicId: 'locks', rowId: 'missed', text: '别的主题' });
    expect(all).toHaveLength(2);
    expect((await open()).list()).toEqual([
      { topicId: 'watch', rowId: 'missed', text: 'we rely on this', updatedAtMs: 1_000 },
      { topicId: 'locks', rowId: 'missed', text: '别的主题', updatedAtMs: 1_000 },
    ]);
  });

  it('replaces the note of a row, and removes it when it is emptied', async () => {
    let now = 1;
    const notes = await open(() => now);
    await notes.set(at('missed', 'first'));
    now = 2;
    expect(await notes.set(at('missed', 'second'))).toEqual([
      { topicId: 'watch', rowId: 'missed', text: 'second', updatedAtMs: 2 },
    ]);
    expect(await notes.set(at('missed', '  \n'))).toEqual([]);
    expect((await open()).list()).toEqual([]);
  });

  it('keeps all of many that are saved at a time', async () => {
    const notes = await open();
    const ids = Array.from({ length: 20 }, (_, i) => `row-${i}`);
    await Promise.all(ids.map((id) => notes.set(at(id, id))));
    expect((await open()).list().map((note) => note.rowId)).toEqual(ids);
  });

  it('takes no more than so many, but lets those be changed', async () => {
    const full = Array.from({ length: MAX_OWN_NOTES }, (_, i) => ({
      ...at(`row-${i}`, 'x'),
      updatedAtMs: 0,
    }));
    const file = { schemaVersion: 1, notes: full };
    await writeFile(join(dir, 'own-notes.json'), JSON.stringify(file));
    const notes = await open();
    await expect(notes.set(at('one-more', 'x'))).rejects.toMatchObject({
      code: 'FailedPrecondition',
    });
    await notes.set(at('row-0', 'changed'));
    expect((await open()).list()).toHaveLength(MAX_OWN_NOTES);
  });

  it('moves a broken file aside instead of losing it', async () => {
    await writeFile(join(dir, 'own-notes.json'), '{"schemaVersion": 1, "notes": [{}]}');
    expect((await open()).list()).toEqual([]);
    expect(await readFile(join(dir, 'own-notes.json.broken'), 'utf8')).toContain('[{}]');
  });

  it('does not claim to have kept what could not be written', async () => {
    const notes = await open();
    await notes.set(at('kept', 'x'));
    await rm(dir, { recursive: true });
    await writeFile(dir, 'a file where the folder was');
    await expect(notes.set(at('lost', 'x'))).rejects.toMatchObject({ code: 'DataDir' });
    expect(notes.list().map((note) => note.rowId)).toEqual(['kept']);
    await chmod(dir, 0o600);
  });

  it('bounds what one note may hold, and what it may be called', () => {
    const schema = NOTES_CALL_INPUTS['notes.setOwn'];
    const text = 'x'.repeat(MAX_OWN_NOTE_CHARS);
    expect(schema.safeParse(at('a', text)).success).toBe(true);
    expect(schema.safeParse(at('a', `${text}x`)).success).toBe(false);
    expect(schema.safeParse(at('../a', 'x')).success).toBe(false);
    expect(schema.safeParse(at('', 'x')).success).toBe(false);
  });
});
