import { describe, expect, it, vi } from 'vitest';
import { displayKeys, type KeyEvent, MAX_SHORTCUTS, Shortcuts } from './keyboard.ts';

function press(key: string, mods: Partial<KeyEvent> = {}): KeyEvent {
  return {
    key,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    shiftKey: false,
    target: null,
    isComposing: false,
    defaultPrevented: false,
    preventDefault: vi.fn(),
    ...mods,
  };
}

function withShortcut(keys: string, isMac = false, when?: () => boolean) {
  const shortcuts = new Shortcuts(isMac);
  const run = vi.fn();
  const text = () => '';
  const dispose = shortcuts.register({
    keys,
    label: text,
    group: text,
    run,
    ...(when === undefined ? {} : { when }),
  });
  return { shortcuts, run, dispose };
}

describe('Shortcuts', () => {
  it('mod is Ctrl, on a Mac Cmd', () => {
    const pc = withShortcut('mod+k');
    expect(pc.shortcuts.handle(press('k', { ctrlKey: true }))).toBe(true);
    expect(pc.shortcuts.handle(press('k', { metaKey: true }))).toBe(false);
    expect(pc.shortcuts.handle(press('k'))).toBe(false);
    const mac = withShortcut('mod+k', true);
    expect(mac.shortcuts.handle(press('k', { metaKey: true }))).toBe(true);
    expect(mac.shortcuts.handle(press('k', { ctrlKey: true }))).toBe(false);
  });

  it('takes a sign with or without Shift, a letter only as it is written', () => {
    const sign = withShortcut('/');
    expect(sign.shortcuts.handle(press('/', { shiftKey: true }))).toBe(true);
    const letter = withShortcut('n');
    expect(letter.shortcuts.handle(press('N', { shiftKey: true }))).toBe(false);
    expect(letter.shortcuts.handle(press('n'))).toBe(true);
    const named = withShortcut('shift+f6');
    expect(named.shortcuts.handle(press('F6'))).toBe(false);
    expect(named.shortcuts.handle(press('F6', { shiftKey: true }))).toBe(true);
  });

  it('leaves the keys of an input method and handled events alone', () => {
    const { shortcuts, run } = withShortcut('n');
    shortcuts.handle(press('n', { isComposing: true }));
    shortcuts.handle(press('n', { defaultPrevented: true }));
    expect(run).not.toHaveBeenCalled();
  });

  it('the newest wins, and gives way when it is disposed', () => {
    const { shortcuts, run } = withShortcut('n');
    const newer = vi.fn();
    const text = () => '';
    const dispose = shortcuts.register({ keys: 'n', label: text, group: text, run: newer });
    shortcuts.handle(press('n'));
    dispose();
    shortcuts.handle(press('n'));
    expect([newer.mock.calls.length, run.mock.calls.length]).toEqual([1, 1]);
  });

  it('applies only when it says so', () => {
    let on = false;
    const { shortcuts, run } = withShortcut('n', false, () => on);
    shortcuts.handle(press('n'));
    expect(shortcuts.list()).toEqual([]);
    on = true;
    shortcuts.handle(press('n'));
    expect(run).toHaveBeenCalledTimes(1);
    expect(shortcuts.list()).toHaveLength(1);
  });

  it('is bounded', () => {
    const shortcuts = new Shortcuts(false);
    const text = () => '';
    const one = { keys: 'n', label: text, group: text, run: () => {} };
    for (let i = 0; i < MAX_SHORTCUTS; i++) shortcuts.register(one);
    expect(() => shortcuts.register(one)).toThrow('too many');
  });

  it('is displayed as the platform writes it', () => {
    expect(displayKeys('mod+k', false)).toBe('Ctrl K');
    expect(displayKeys('mod+k', true)).toBe('⌘K');
    expect(displayKeys('space', false)).toBe('Space');
    expect(displayKeys('escape', false)).toBe('Esc');
    expect(displayKeys('shift+n', false)).toBe('Shift N');
  });
});
