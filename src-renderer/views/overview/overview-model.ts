import type {
  ClusterEvent,
  ClusterOverview,
  ClusterSummary,
  NodeView,
} from '../../../src-main/contract/views.ts';
import {
  formatBytes,
  formatClock,
  formatDuration,
  formatLatency,
  type Language,
} from '../../lib/format.ts';
import type { WordsLookup } from '../../lib/i18n/i18n.svelte.ts';
import type { overviewWords } from '../../lib/i18n/views/overview.ts';

export type OverviewLookup = WordsLookup<(typeof overviewWords)['en']>;

/**
 * Entries behind the highest commit index from which a node is marked. Members are asked one after
 * another, so under load each is a few entries off without being slow.
 */
export const LAG_ENTRIES = 100;

/** Spans below this are told with a fraction: an election takes tenths of a second. */
const SHORT_SPAN_MS = 10_000;

export interface Sentence {
  tone: 'plain' | 'warn' | 'danger';
  lead: string;
  rest: string;
}

export function isUp(node: NodeView): boolean {
  return node.role !== 'down' && node.role !== 'unknown';
}

export function isAlive(node: NodeView): boolean {
  const state = node.process?.state;
  if (state === undefined) return isUp(node);
  return state === 'running' || state === 'starting';
}

export function upNodes(overview: ClusterOverview): NodeView[] {
  return overview.nodes.filter(isUp);
}

/** Nodes that can be lost from now on with a quorum left. */
export function spares(overview: ClusterOverview): number {
  return upNodes(overview).length - overview.quorum;
}

/** Entries that a node's applied index is behind the highest commit index seen; 0 if unknown. */
export function lagOf(node: NodeView, overview: ClusterOverview): number {
  if (node.appliedIndex === null) return 0;
  const commits = overview.nodes.map((other) => other.commitIndex ?? 0);
  return Math.max(0, Math.max(...commits) - node.appliedIndex);
}

export function isLagging(node: NodeView, overview: ClusterOverview): boolean {
  return lagOf(node, overview) >= LAG_ENTRIES;
}

/** The one sentence of the header. */
export function sentenceOf(
  cluster: ClusterSummary,
  overview: ClusterOverview,
  w: OverviewLookup,
  nowMs: number,
  language: Language,
): Sentence {
  const up = upNodes(overview).length;
  const n = overview.nodes.length;
  const { quorum } = overview;
  const since = noLeaderText(overview, w, nowMs, language);
  switch (cluster.health) {
    case 'stopped':
      return { tone: 'plain', lead: w('leadStopped'), rest: w('sayStopped') };
    case 'starting':
      return { tone: 'warn', lead: w('leadStarting'), rest: w('sayStarting', { up, n }) };
    case 'unreachable': {
      const rest = n === 0 ? w('sayUnreachableNone') : w('sayUnreachable', { n });
      return { tone: 'danger', lead: w('leadUnreachable'), rest };
    }
    case 'noQuorum': {
      const why =
        up >= quorum
          ? w('sayNoLeaderUp', { up, n })
          : w('sayNoQuorum', { n: up, total: n, quorum });
      return { tone: 'danger', lead: w('leadNoQuorum'), rest: joined(why, since) };
    }
    default:
      return overview.leader === null
        ? electing(overview, w, nowMs, language)
        : led(cluster, overview, w, nowMs, language);
  }
}

function electing(
  overview: ClusterOverview,
  w: OverviewLookup,
  nowMs: number,
  language: Language,
): Sentence {
  const sinceMs = overview.noLeaderSinceMs ?? nowMs;
  const rest = w('sayElecting', {
    since: formatClock(sinceMs),
    for: formatDuration(nowMs - sinceMs, language),
    up: upNodes(overview).length,
    n: overview.nodes.length,
  });
  return { tone: 'warn', lead: w('leadElecting'), rest };
}

function led(
  cluster: ClusterSummary,
  overview: ClusterOverview,
  w: OverviewLookup,
  nowMs: number,
  language: Language,
): Sentence {
  const { leader, term, leaderSinceMs, nodes } = overview;
  const named = { node: leader ?? '', term: String(term ?? '?') };
  const leads =
    leaderSinceMs === null
      ? w('sayLeads', named)
      : w('sayLeadsFor', { ...named, for: formatDuration(nowMs - leaderSinceMs, language) });
  const spare = spares(overview);
  const rest =
    nodes.length === 1
      ? w('sparesSingle')
      : spare > 0
        ? w('spares', { n: spare })
        : w('sparesNone');
  const text = joined(leads, rest);
  if (cluster.alarms.length > 0) {
    const lead = w('leadAlarm', { alarms: cluster.alarms.join(', ') });
    return { tone: 'danger', lead, rest: text };
  }
  const up = upNodes(overview).length;
  if (up === nodes.length) return { tone: 'plain', lead: w('leadHealthy'), rest: text };
  return { tone: 'warn', lead: w('leadDegraded', { up, n: nodes.length }), rest: text };
}

function noLeaderText(
  overview: ClusterOverview,
  w: OverviewLookup,
  nowMs: number,
  language: Language,
): string {
  const { noLeaderSinceMs } = overview;
  if (noLeaderSinceMs === null) return '';
  return w('saySince', {
    since: formatClock(noLeaderSinceMs),
    for: formatDuration(nowMs - noLeaderSinceMs, language),
  });
}

/** Chinese sentences follow each other without a blank. */
function joined(first: string, second: string): string {
  if (second === '') return first;
  return first.endsWith('。') ? first + second : `${first} ${second}`;
}

/**
 * An event in words of the present language; main's own English line where it is of an unknown
 * shape.
 */
export function eventText(event: ClusterEvent, w: OverviewLookup, language: Language): string {
  const { kind, detail } = event;
  const text = (key: string) => String(detail[key] ?? '');
  const node = event.node ?? '';
  switch (kind) {
    case 'leader': {
      const named = { node, term: text('term') };
      const { noLeaderMs } = detail;
      if (typeof noLeaderMs !== 'number') return w('evLeader', named);
      const isShort = noLeaderMs < SHORT_SPAN_MS;
      const span = isShort ? formatLatency(noLeaderMs) : formatDuration(noLeaderMs, language);
      return w('evLeaderAfter', { ...named, for: span });
    }
    case 'noLeader':
      return w('evNoLeader', { node });
    case 'started':
      return detail.pid === undefined ? w('evStarted') : w('evStartedPid', { pid: text('pid') });
    case 'stopped':
      return w('evStopped');
    case 'killed':
      return w('evKilled');
    case 'crashed':
      return w('evCrashed', { exit: text('exit') });
    case 'restarting':
      return w('evRestarting', { exit: text('exit') });
    case 'alarm':
      return detail.type === undefined
        ? w('evAlarm', { alarm: text('alarm') })
        : w('evDisarmed', { alarm: text('type') });
    case 'compacted':
      return w('evCompacted', { revision: Number(detail.revision ?? 0) });
    case 'defragmented':
      return w('evDefragmented', {
        before: formatBytes(Number(detail.beforeBytes ?? 0)),
        after: formatBytes(Number(detail.afterBytes ?? 0)),
      });
    case 'reachable':
      return w('evReachable');
    case 'unreachable':
      return w('evUnreachable', { error: text('error') });
    default:
      return event.text;
  }
}

/** "http://127.0.0.1:2379" as ":2379" where it is this machine, else host and port. */
export function shortAddress(url: string): string {
  const address = url.replace(/^https?:\/\//, '');
  const local = /^(?:127\.0\.0\.1|localhost|\[::1\])(:\d+)$/.exec(address);
  return local?.[1] ?? address;
}
