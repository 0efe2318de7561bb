import type { WordsLookup } from '../../lib/i18n/i18n.svelte.ts';
import type { watchWords } from '../../lib/i18n/views/watch.ts';
import type { WatchSession } from './watch-session.svelte.ts';

export type WatchWords = WordsLookup<(typeof watchWords)['en']>;
export type Tone = 'plain' | 'ok' | 'warn' | 'danger';

/** How a watch is, in one word. */
export function statusOf(session: WatchSession, w: WatchWords): { tone: Tone; text: string } {
  if (session.status === 'live' && session.hold === 'paused') {
    return { tone: 'warn', text: w('statusPaused') };
  }
  if (session.status === 'live' && session.hold === 'reading') {
    return { tone: 'plain', text: w('statusReading') };
  }
  const states: Record<WatchSession['status'], { tone: Tone; text: string }> = {
    opening: { tone: 'plain', text: w('statusOpening') },
    live: { tone: 'ok', text: w('statusLive') },
    reconnecting: { tone: 'warn', text: w('statusReconnecting') },
    lost: { tone: 'warn', text: w('statusReconnecting') },
    compacted: { tone: 'warn', text: w('statusCompacted') },
    failed: { tone: 'danger', text: w('statusFailed') },
    stopped: { tone: 'plain', text: w('statusStopped') },
  };
  return states[session.status];
}

/** What is watched, beside its name: "prefix, from revision 48,211, puts only". */
export function describe(session: WatchSession, w: WatchWords): string {
  const { scope, startRevision, only } = session.target;
  const parts = [
    { prefix: w('scopePrefix'), range: w('scopeRange'), key: w('scopeKey') }[scope],
    startRevision > 0 ? w('fromStart', { revision: startRevision }) : w('fromNowSay'),
  ];
  if (only !== null) parts.push(only === 'put' ? w('sayPuts') : w('sayDeletes'));
  return parts.join(w('comma'));
}
