import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ContractCallError } from '../../api/client.ts';
import { MAX_OWN_NOTE_CHARS } from '../../lib/limits.ts';
import { FakeClient } from '../../testing/fake-client.ts';
import { OwnNotesModel, SAVE_AFTER_MS } from './own-notes.svelte.ts';

const KEY = 'watch/missed';

describe('OwnNotesModel', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const begun = async (notes: unknown[] = []) => {
    const fake = new FakeClient();
    const own = new OwnNotesModel(fake.client);
    const done = own.load();
    fake.lastCall('notes.own').resolve(notes);
    await done;
    const saves = () => fake.calls.filter(({ name }) => name === 'notes.setOwn');
    return { fake, own, saves };
  };
  const settled = () => vi.advanceTimersByTimeAsync(0);

  it('has what was kept', async () => {
    const { own } = await begun([
      { topicId: 'watch', rowId: 'missed', text: 'kept', updatedAtMs: 1 },
    ]);
    expect([own.textOf(KEY), own.stateOf(KEY)]).toEqual(['kept', 'saved']);
    expect(own.textOf('watch/other')).toBe('');
  });

  it('saves once, a moment after the last key', async () => {
    const { fake, own, saves } = await begun();
    own.write(KEY, 'a');
    vi.advanceTimersByTime(SAVE_AFTER_MS - 1);
    own.write(KEY, 'ab');
    vi.advanceTimersByTime(SAVE_AFTER_MS - 1);
    expect([saves().length, own.stateOf(KEY)]).toEqual([0, 'unsaved']);
    vi.advanceTimersByTime(1);
    expect(saves().map(({ input }) => input)).toEqual([
      { topicId: 'watch', rowId: 'missed', text: 'ab' },
    ]);
    expect(own.stateOf(KEY)).toBe('saving');
    fake.lastCall('notes.setOwn').resolve([]);
    await settled();
    expect([own.stateOf(KEY), own.textOf(KEY)]).toEqual(['saved', 'ab']);
  });

  it('keeps what is written while it is saved, and saves it too', async () => {
    const { fake, own, saves } = await begun();
    own.write(KEY, 'a');
    void own.save(KEY);
    own.write(KEY, 'ab');
    fake.lastCall('notes.setOwn').resolve([]);
    await settled();
    expect([own.textOf(KEY), own.stateOf(KEY)]).toEqual(['ab', 'unsaved']);
    vi.advanceTimersByTime(SAVE_AFTER_MS);
    expect(saves()).toHaveLength(2);
    fake.lastCall('notes.setOwn').resolve([]);
    await settled();
    expect([own.textOf(KEY), own.stateOf(KEY)]).toEqual(['ab', 'saved']);
  });

  it('loses nothing when it cannot be saved, and tries again', async () => {
    const { fake, own } = await begun();
    own.write(KEY, 'a');
    void own.save(KEY);
    fake.lastCall('notes.setOwn').reject(new ContractCallError('DataDir', 'disk is full'));
    await settled();
    expect([own.textOf(KEY), own.stateOf(KEY)]).toEqual(['a', 'failed']);
    expect(own.errorOf(KEY)).toBe('disk is full.');
    void own.save(KEY);
    fake.lastCall('notes.setOwn').resolve([]);
    await settled();
    expect(own.stateOf(KEY)).toBe('saved');
  });

  it('does not send what is too long', async () => {
    const { own, saves } = await begun();
    own.write(KEY, 'x'.repeat(MAX_OWN_NOTE_CHARS + 1));
    vi.advanceTimersByTime(SAVE_AFTER_MS * 2);
    await own.save(KEY);
    expect([own.stateOf(KEY), saves().length]).toEqual(['tooLong', 0]);
    own.write(KEY, 'x'.repeat(MAX_OWN_NOTE_CHARS));
    vi.advanceTimersByTime(SAVE_AFTER_MS);
    expect(saves()).toHaveLength(1);
  });

  it('saves what waits when the view goes away', async () => {
    const { own, saves } = await begun();
    own.write(KEY, 'a');
    own.write('watch/other', 'b');
    own.flush();
    expect(saves()).toHaveLength(2);
    vi.advanceTimersByTime(SAVE_AFTER_MS * 2);
    expect(saves()).toHaveLength(2);
  });

  it('says why they cannot be read', async () => {
    const fake = new FakeClient();
    const own = new OwnNotesModel(fake.client);
    const done = own.load();
    fake.lastCall('notes.own').reject(new ContractCallError('DataDir', 'no access'));
    await done;
    expect(own.loadError).toBe('no access.');
  });
});
