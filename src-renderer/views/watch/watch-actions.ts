import type { PaletteAction } from '../../lib/context.ts';
import type { Shortcut } from '../../lib/keyboard.ts';
import type { WatchWords } from './status.ts';
import { MAX_SHOWN, type WatchBoard } from './watch-board.svelte.ts';

/** All that can be done in the view, however it is asked for. */
export interface WatchActions {
  newWatch(): void;
  search(): void;
  togglePause(): void;
  toggleAll(): void;
  step(by: 1 | -1): void;
  beside(): void;
  hide(): void;
  layout(): void;
  rules(): void;
  exportEvents(): void;
  stop(): void;
  clear(): void;
  close(): void;
  copy(): void;
}

/** Space presses a button that has the focus, as everywhere. */
function isOnButton(): boolean {
  return document.activeElement?.closest('button, a, [role=menuitem]') != null;
}

export function watchShortcuts(
  board: WatchBoard,
  actions: WatchActions,
  w: WatchWords,
): Shortcut[] {
  const group = () => w('title');
  const has = () => board.active !== null;
  const many = () => board.sessions.length > 1;
  return [
    { keys: 'w', label: () => w('formLabel'), group, run: actions.newWatch },
    { keys: '/', label: () => w('searchLabel'), group, when: has, run: actions.search },
    {
      keys: 'space',
      label: () => w('pauseOrResume'),
      group,
      when: () => has() && !isOnButton(),
      run: actions.togglePause,
    },
    { keys: 'shift+p', label: () => w('pauseAll'), group, when: has, run: actions.toggleAll },
    { keys: '[', label: () => w('previousWatch'), group, when: many, run: () => actions.step(-1) },
    { keys: ']', label: () => w('nextWatch'), group, when: many, run: () => actions.step(1) },
    {
      keys: 'b',
      label: () => w('showNextBeside'),
      group,
      when: () => canShowMore(board),
      run: actions.beside,
    },
    {
      keys: 'shift+b',
      label: () => w('hideBeside'),
      group,
      when: () => board.shownIds.length > 1,
      run: actions.hide,
    },
    { keys: 'l', label: () => w('layoutToggle'), group, when: many, run: actions.layout },
    {
      keys: 'e',
      label: () => w('exportShort'),
      group,
      when: () => (board.active?.length ?? 0) > 0,
      run: actions.exportEvents,
    },
    { keys: 'r', label: () => w('rulesTitle'), group, run: actions.rules },
    { keys: 's', label: () => w('stopOrContinue'), group, when: has, run: actions.stop },
    { keys: 'shift+x', label: () => w('close'), group, when: has, run: actions.close },
  ];
}

function canShowMore(board: WatchBoard): boolean {
  return board.shownIds.length < Math.min(MAX_SHOWN, board.sessions.length);
}

export function offeredActions(
  board: WatchBoard,
  actions: WatchActions,
  w: WatchWords,
): PaletteAction[] {
  const { active } = board;
  const list: PaletteAction[] = [
    {
      id: 'watch-new',
      label: () => w('formLabel'),
      icon: 'plus',
      keys: 'w',
      run: actions.newWatch,
    },
    {
      id: 'watch-rules',
      label: () => w('rulesTitle'),
      icon: 'bell',
      keys: 'r',
      run: actions.rules,
    },
  ];
  if (active === null) return list;
  const add = (id: string, label: string, icon: string, run: () => void, keys?: string) => {
    const shortcut = keys === undefined ? {} : { keys };
    list.push({ id: `watch-${id}`, label: () => label, icon, run, ...shortcut });
  };
  const isPaused = active.hold === 'paused';
  add(
    'pause',
    isPaused ? w('resume') : w('pause'),
    isPaused ? 'play' : 'pause',
    actions.togglePause,
    'space',
  );
  add(
    'pause-all',
    board.isAnyRunning ? w('pauseAll') : w('resumeAll'),
    'pause',
    actions.toggleAll,
    'shift+p',
  );
  add('search', w('searchLabel'), 'search', actions.search, '/');
  if (active.length > 0) {
    add('export', w('export', { n: active.length }), 'download', actions.exportEvents, 'e');
  }
  add('copy', w('copyCommand'), 'terminal', actions.copy);
  add('stop', active.isOpen ? w('stop') : w('restart'), 'stop', actions.stop, 's');
  add('clear', w('clear'), 'trash', actions.clear);
  add('close', w('close'), 'close', actions.close, 'shift+x');
  if (canShowMore(board)) add('beside', w('showNextBeside'), 'columns', actions.beside, 'b');
  if (board.shownIds.length > 1) {
    add('hide', w('hideBeside'), 'minus', actions.hide, 'shift+b');
    add('layout', w('layoutToggle'), 'rows', actions.layout, 'l');
  }
  return list;
}
