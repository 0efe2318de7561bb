import type { ContractClient } from '../../api/client.ts';
import type { AppContext, Kept } from '../../lib/context.ts';
import { formatInteger } from '../../lib/format.ts';
import { watchWords } from '../../lib/i18n/views/watch.ts';
import { DesktopNotifier } from './desktop-notifier.ts';
import type { Notice } from './notice-rules.svelte.ts';
import { frameSchedule, openWatch } from './port.ts';
import { loadRules, loadWatches, saveRules, saveWatches } from './saved-watches.ts';
import { MAX_SESSIONS, WatchBoard } from './watch-board.svelte.ts';

/** The rate is told anew this often. */
const TICK_MS = 1_000;

/** A cluster's board, kept while other views are shown, so that its watches and rules go on. */
export interface WatchDesk extends Kept {
  readonly board: WatchBoard;
  saveRules(): void;
}

export function keepDesk(app: AppContext, client: ContractClient, clusterId: string): WatchDesk {
  return app.keep(clusterId, 'watch', () => makeDesk(app, client, clusterId));
}

function makeDesk(app: AppContext, client: ContractClient, clusterId: string): WatchDesk {
  const w = app.i18n.words(watchWords);
  const words = {
    title: ({ rule, count }: Notice) =>
      rule.threshold === 1
        ? w('noticeTitleOne', { n: count })
        : w('noticeTitleMany', { n: count, seconds: rule.seconds }),
    body: ({ key, isDelete }: Notice) => `${isDelete ? w('del') : w('put')} ${key}`,
  };
  const notifier = new DesktopNotifier(words, ({ sessionId }) => {
    board.showAlone(sessionId);
    app.goTo(clusterId, 'watch');
  });
  const board = new WatchBoard({
    open: openWatch(client, clusterId),
    schedule: frameSchedule(),
    nowMs: Date.now,
    notifier,
  });
  for (const rule of loadRules(localStorage, clusterId)) board.rules.add(rule);
  board.restore(loadWatches(sessionStorage, clusterId, MAX_SESSIONS));

  const unlisten = client.onState((connection) => {
    if (connection === 'open') board.resumeLost();
  });
  const timer = setInterval(() => board.tick(), TICK_MS);
  const save = () => saveWatches(sessionStorage, clusterId, board.saved());
  window.addEventListener('pagehide', save);
  return {
    board,
    get navCount() {
      return board.sessions.length === 0 ? '' : formatInteger(board.sessions.length);
    },
    saveRules: () =>
      saveRules(
        localStorage,
        clusterId,
        board.rules.list.map(({ rule }) => rule),
      ),
    dispose() {
      clearInterval(timer);
      unlisten();
      window.removeEventListener('pagehide', save);
      board.dispose();
    },
  };
}
