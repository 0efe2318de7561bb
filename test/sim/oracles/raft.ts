import type {
  AppliedEntry,
  History,
  LogEntry,
  LogObservation,
  MemberObservation,
} from '../history.ts';
import { Findings, type Violation } from './violation.ts';

/** The paper's safety rules (Raft thesis, figure 3.2) on what was seen of the members. */
export function checkRaft(history: History): Violation[] {
  const findings = new Findings('raft');
  checkElections(history, findings);
  checkLogs(history.logs, findings);
  checkCompleteness(history, findings);
  checkApplied(history.applied, findings);
  checkHashes(history, findings);
  checkCounters(history, findings);
  return findings.list;
}

/** Election safety: at most one leader in a term. */
function checkElections({ observations, logs }: History, findings: Findings): void {
  const leaderOf = new Map<number, string>();
  const told = new Set<string>();
  for (const { role, term, member, atMs } of [...observations, ...logs]) {
    if (role !== 'leader') continue;
    const other = leaderOf.get(term) ?? member;
    leaderOf.set(term, other);
    const name = `${term} ${member}`;
    if (other === member || told.has(name)) continue;
    told.add(name);
    findings.add(
      'election safety',
      `term ${term} has two leaders: ${other}, and ${member} at ${atMs} ms`,
    );
  }
}

interface Known {
  entry: LogEntry;
  /** Term of the entry before it; undefined if it was the first of a log. */
  previousTerm: number | undefined;
  where: string;
}

/** Log matching: entries of one index and term are the same, and so is all that precedes them. */
function checkLogs(logs: readonly LogObservation[], findings: Findings): void {
  const known = new Map<string, Known>();
  for (const log of logs) {
    const where = `${log.member} at ${log.atMs} ms`;
    for (const [i, entry] of log.entries.entries()) {
      const before = log.entries[i - 1];
      if (before !== undefined && before.index + 1 !== entry.index) {
        findings.add('log matching', `${where}: index ${entry.index} follows ${before.index}`);
      }
      if (before !== undefined && before.term > entry.term) {
        findings.add(
          'log matching',
          `${where}: term ${entry.term} at ${entry.index} follows ${before.term}`,
        );
      }
      const name = `${entry.index} ${entry.term}`;
      const same = known.get(name);
      if (same === undefined) known.set(name, { entry, previousTerm: before?.term, where });
      else compareEntries(same, entry, before?.term, where, findings);
    }
  }
}

function compareEntries(
  known: Known,
  entry: LogEntry,
  previousTerm: number | undefined,
  where: string,
  findings: Findings,
): void {
  const at = `entry ${entry.index} of term ${entry.term}`;
  if (known.entry.digest !== entry.digest) {
    findings.add('log matching', `${at} differs: ${known.where}, and ${where}`);
  }
  const isSame = known.previousTerm === undefined || known.previousTerm === previousTerm;
  if (previousTerm !== undefined && !isSame) {
    const message = `before ${at} is term ${known.previousTerm}: ${known.where}; ${previousTerm}: ${where}`;
    findings.add('log matching', message);
  }
  known.previousTerm ??= previousTerm;
}

/**
 * Leader completeness: an entry that was committed in a term is in the log of every leader of a later one. An entry
 * counts as committed in the term of the member that showed it so: that is late enough never to accuse wrongly.
 */
function checkCompleteness({ logs }: History, findings: Findings): void {
  const committed = new Map<number, { entry: LogEntry; inTerm: number; where: string }>();
  for (const log of logs) {
    for (const entry of log.entries) {
      if (entry.index > log.commit) break;
      const known = committed.get(entry.index);
      if (known === undefined || (known.entry.term === entry.term && log.term < known.inTerm)) {
        const where = `${log.member} at ${log.atMs} ms`;
        committed.set(entry.index, { entry, inTerm: log.term, where });
      }
    }
  }
  for (const log of logs) {
    if (log.role !== 'leader') continue;
    const first = log.entries[0]?.index;
    if (first === undefined) continue;
    for (const { entry, inTerm, where } of committed.values()) {
      if (inTerm >= log.term || entry.index < first) continue;
      const held = log.entries[entry.index - first];
      if (held?.term === entry.term && held.digest === entry.digest) continue;
      const has = held === undefined ? 'lacks it' : `has one of term ${held.term}`;
      const message = `entry ${entry.index} of term ${entry.term} was committed in term ${inTerm} (${where}); ${log.member}, leader of term ${log.term}, ${has} at ${log.atMs} ms`;
      findings.add('leader completeness', message);
      break;
    }
  }
}

/** State machine safety: one entry per index for all members, and the same revision after it. */
function checkApplied(applied: readonly AppliedEntry[], findings: Findings): void {
  const byIndex = new Map<number, AppliedEntry>();
  const lastOf = new Map<string, AppliedEntry>();
  for (const entry of applied) {
    const at = `${entry.member} at ${entry.atMs} ms`;
    const other = byIndex.get(entry.index);
    if (other === undefined) byIndex.set(entry.index, entry);
    else if (other.term !== entry.term || other.digest !== entry.digest) {
      const message = `entry ${entry.index}: ${other.member} applied one of term ${other.term}, ${at} another of term ${entry.term}`;
      findings.add('state machine safety', message);
    } else if (other.revision !== entry.revision) {
      const message = `after entry ${entry.index} ${other.member} is at revision ${other.revision}, ${at} at ${entry.revision}`;
      findings.add('state machine safety', message);
    }
    const life = `${entry.member} ${entry.incarnation}`;
    const before = lastOf.get(life);
    lastOf.set(life, entry);
    if (before !== undefined && entry.index <= before.index) {
      findings.add('apply order', `${at}: entry ${entry.index} after ${before.index}`);
    }
  }
}

/** Equal states have equal sums: at one applied index, and at one revision with one compaction. */
function checkHashes({ observations, final }: History, findings: Findings): void {
  const known = new Map<string, { hash: number; where: string }>();
  const see = (name: string, hash: number, where: string): void => {
    const same = known.get(name);
    if (same === undefined) known.set(name, { hash, where });
    else if (same.hash !== hash) {
      findings.add(
        'equal hashes',
        `at ${name}: ${same.hash} on ${same.where}, ${hash} on ${where}`,
      );
    }
  };
  for (const { hash, member, atMs } of observations) {
    if (hash === undefined) continue;
    const { revision, compactRevision } = hash;
    const where = `${member} at ${atMs} ms`;
    see(`revision ${revision} compacted to ${compactRevision}`, hash.hash, where);
  }
  for (const { revision, compactRevision, hash } of final?.hashes ?? []) {
    see(`revision ${revision} compacted to ${compactRevision}`, hash, 'the end');
  }
  const revisionAt = new Map<number, MemberObservation>();
  for (const now of observations) {
    const other = revisionAt.get(now.applied);
    if (other === undefined) revisionAt.set(now.applied, now);
    else if (other.revision !== now.revision) {
      const message = `at applied index ${now.applied} ${other.member} is at revision ${other.revision}, ${now.member} at ${now.revision} (${now.atMs} ms)`;
      findings.add('state machine safety', message);
    }
  }
}

/**
 * applied <= commit <= last index; term, commit and applied of a member never go back in one life. Over a restart it
 * may forget what nobody was told: a term that it heard of is its own before it is on the disk. What it may not forget
 * is judged where its messages are heard.
 */
function checkCounters({ observations }: History, findings: Findings): void {
  const lastOf = new Map<string, MemberObservation>();
  for (const now of [...observations].sort((a, b) => a.atMs - b.atMs)) {
    const { member, applied, commit, lastIndex, term, atMs } = now;
    if (applied > commit)
      findings.add('order', `${member} at ${atMs} ms: applied ${applied} > commit ${commit}`);
    if (commit > lastIndex)
      findings.add('order', `${member} at ${atMs} ms: commit ${commit} > last index ${lastIndex}`);
    const name = `${member} ${now.memberId}`;
    const before = lastOf.get(name);
    lastOf.set(name, now);
    if (before === undefined) continue;
    const back = (what: string, is: number, was: number): void =>
      findings.add('never back', `${member} at ${atMs} ms: ${what} ${is} after ${was}`);
    if (now.incarnation !== before.incarnation) continue;
    if (term < before.term) back('term', term, before.term);
    if (commit < before.commit) back('commit', commit, before.commit);
    if (applied < before.applied) back('applied', applied, before.applied);
    if (term === before.term && before.vote !== '0' && now.vote !== before.vote) {
      findings.add(
        'one vote',
        `${member} at ${atMs} ms: in term ${term} for ${now.vote} after ${before.vote}`,
      );
    }
  }
}
