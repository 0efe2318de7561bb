import { describeExit, type NodeSnapshot } from '../supervisor/node-state.ts';
import type { NewEvent } from './event-log.ts';
import { isAlive, type Leadership, type MemberFacts, warningsOf } from './overview-model.ts';

export interface Seen {
  members: MemberFacts[];
  leader: Leadership | null;
}

/** What happened between two looks at a cluster, for the list of events. */
export function changesOf(before: Seen, after: Seen, noLeaderMs: number | null): NewEvent[] {
  const events: NewEvent[] = [];
  for (const member of after.members) {
    const was = before.members.find((m) => m.name === member.name);
    if (was !== undefined) events.push(...memberChanges(was, member));
  }
  events.push(...leaderChanges(before, after, noLeaderMs));
  return events;
}

function leaderChanges(before: Seen, after: Seen, noLeaderMs: number | null): NewEvent[] {
  const { leader } = after;
  if (leader === null) {
    // A cluster that is being stopped has no leader for a good reason.
    if (before.leader === null || !after.members.some(isAlive)) return [];
    const { name, term } = before.leader;
    return [
      { node: name, kind: 'noLeader', text: `no leader: ${name} was lost`, detail: { term } },
    ];
  }
  if (before.leader?.name === leader.name && before.leader.term === leader.term) return [];
  const detail: Record<string, string | number> = { term: leader.term };
  if (noLeaderMs !== null) detail.noLeaderMs = Math.round(noLeaderMs);
  const text = `${leader.name} leads in term ${leader.term}`;
  return [{ node: leader.name, kind: 'leader', text, detail }];
}

function memberChanges(was: MemberFacts, is: MemberFacts): NewEvent[] {
  const events: NewEvent[] = [];
  if (was.process !== null && is.process !== null) {
    const event = processChange(was.process, is.process);
    if (event !== null) events.push(event);
  } else {
    const event = reachChange(was, is);
    if (event !== null) events.push(event);
  }
  const known = warningsOf(was.status);
  // What an unreachable member said before is unknown: no alarm is announced twice for that.
  if (was.status !== null) {
    for (const alarm of warningsOf(is.status)) {
      if (known.includes(alarm)) continue;
      events.push({
        node: is.name,
        kind: 'alarm',
        text: `${is.name}: ${alarm}`,
        detail: { alarm },
      });
    }
  }
  return events;
}

function reachChange(was: MemberFacts, is: MemberFacts): NewEvent | null {
  if (is.status === null && is.error !== null && was.error === null) {
    const text = `${is.name} does not answer: ${is.error}`;
    return { node: is.name, kind: 'unreachable', text, detail: { error: is.error } };
  }
  if (is.status !== null && was.status === null && was.error !== null) {
    return { node: is.name, kind: 'reachable', text: `${is.name} answers again` };
  }
  return null;
}

function processChange(was: NodeSnapshot, is: NodeSnapshot): NewEvent | null {
  const { name } = is;
  if (is.state === 'running' && was.state !== 'running') {
    const detail: Record<string, string | number> = is.pid === null ? {} : { pid: is.pid };
    return { node: name, kind: 'started', text: `${name} is running`, detail };
  }
  if (is.state === was.state) return null;
  const exit = is.lastExit === null ? '' : describeExit(is.lastExit);
  switch (is.state) {
    case 'stopped':
      return is.lastExit?.cause === 'kill'
        ? { node: name, kind: 'killed', text: `${name} was killed`, detail: { exit } }
        : { node: name, kind: 'stopped', text: `${name} stopped`, detail: { exit } };
    case 'crashed':
      return { node: name, kind: 'crashed', text: `${name} crashed: ${exit}`, detail: { exit } };
    case 'backoff':
      return {
        node: name,
        kind: 'restarting',
        text: `${name} ended (${exit}) and will be restarted`,
        detail: { exit },
      };
    default:
      return null;
  }
}
