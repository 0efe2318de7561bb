import { describe, expect, it } from 'vitest';
import { StatusResponse } from '../proto/etcd/rpc.ts';
import type { NodeSnapshot } from '../supervisor/node-state.ts';
import { changesOf, type Seen } from './overview-events.ts';
import {
  findLeader,
  healthOf,
  type MemberFacts,
  quorumOf,
  roleOf,
  toNodeView,
  warningsOf,
} from './overview-model.ts';

const snapshot: NodeSnapshot = {
  name: 'n1',
  state: 'running',
  sinceMs: 0,
  pid: 100,
  startedAtMs: 0,
  adopted: false,
  paused: false,
  restarts: 0,
  nextRestartAtMs: null,
  lastExit: null,
  clientUrl: 'http://127.0.0.1:1',
  peerUrl: 'http://127.0.0.1:2',
  dataDir: '/x',
};

interface Sketch {
  leader?: bigint;
  term?: number;
  down?: boolean;
  slow?: boolean;
  process?: Partial<NodeSnapshot>;
  errors?: string[];
}

/** Member i+1 of a local cluster; `leader` is whom it follows, absent: it does not answer. */
function member(i: number, sketch: Sketch): MemberFacts {
  const { leader, term = 1, down = false, slow = false, errors = [] } = sketch;
  const process = { ...snapshot, name: `n${i}`, ...(down ? { pid: null, state: 'stopped' } : {}) };
  const answers = leader !== undefined && !down;
  return {
    name: `n${i}`,
    memberId: i.toString(16),
    clientUrl: snapshot.clientUrl,
    peerUrl: null,
    isLearner: false,
    status: answers ? { ...StatusResponse.create(), leader, raftTerm: term, errors } : null,
    latencyMs: null,
    error: answers || down ? null : 'no answer',
    isSlow: slow,
    process: { ...(process as NodeSnapshot), ...sketch.process },
  };
}

const cluster = (...sketches: Sketch[]) => sketches.map((sketch, i) => member(i + 1, sketch));

describe('findLeader', () => {
  it('is the member that says so of itself', () => {
    expect(findLeader(cluster({ leader: 2n }, { leader: 2n }, { leader: 2n }))?.name).toBe('n2');
  });

  it('is nobody while followers still believe in a dead one', () => {
    expect(findLeader(cluster({ down: true }, { leader: 1n }, { leader: 1n }))).toBeNull();
  });

  it('is nobody while its process is paused', () => {
    const paused = { slow: true, process: { paused: true } };
    expect(findLeader(cluster(paused, { leader: 1n }, { leader: 1n }))).toBeNull();
  });

  it('stays one that is merely slow to answer', () => {
    const found = findLeader(cluster({ slow: true }, { leader: 1n }, { leader: 1n, term: 3 }));
    expect(found).toEqual({ name: 'n1', term: 3 });
  });

  it('is the one of the highest term when an old one was cut off', () => {
    const found = findLeader(
      cluster({ leader: 1n, term: 4 }, { leader: 2n, term: 5 }, { leader: 2n, term: 5 }),
    );
    expect(found).toEqual({ name: 'n2', term: 5 });
  });
});

describe('roleOf', () => {
  it('tells each from the other', () => {
    const members = cluster(
      { leader: 1n },
      { leader: 1n },
      { leader: 0n },
      { down: true },
      { process: { state: 'starting' } },
    );
    const leader = findLeader(members);
    expect(members.map((m) => roleOf(m, leader))).toEqual([
      'leader',
      'follower',
      'candidate',
      'down',
      'unknown',
    ]);
  });
});

describe('healthOf', () => {
  const health = (members: MemberFacts[], noLeaderForMs = 0, kind: 'local' | 'remote' = 'local') =>
    healthOf(kind, members, findLeader(members), noLeaderForMs);
  const up = { leader: 1n };

  it.each([
    ['healthy', [up, up, up], 0],
    ['degraded', [up, up, { down: true }], 0],
    ['degraded', [up, up, { ...up, errors: ['memberID:1 alarm:NOSPACE '] }], 0],
    ['stopped', [{ down: true }, { down: true }, { down: true }], 0],
    ['noQuorum', [{ down: true, process: { state: 'crashed' } }, { down: true }], 0],
    ['starting', [{}, {}, {}], 100],
    ['noQuorum', [{ leader: 0n }, { down: true }, { down: true }], 100],
    ['degraded', [{ leader: 0n }, { leader: 0n }, { down: true }], 100],
    ['noQuorum', [{ leader: 0n }, { leader: 0n }, { down: true }], 6_000],
  ] as [string, Sketch[], number][])('%s (case %#)', (expected, sketches, noLeaderForMs) => {
    expect(health(cluster(...sketches), noLeaderForMs)).toBe(expected);
  });

  it('is unreachable where no remote member answers', () => {
    const members = cluster({}, {}).map((m) => ({ ...m, process: null }));
    expect(health(members, 0, 'remote')).toBe('unreachable');
  });
});

describe('details', () => {
  it('counts the quorum of the voters', () => {
    const members = cluster({}, {}, {}, {}, {}).map((m, i) => ({ ...m, isLearner: i === 4 }));
    expect(quorumOf(members)).toBe(3);
    expect(quorumOf(cluster({}))).toBe(1);
  });

  it('reads alarms from what etcd says', () => {
    const errors = ['etcdserver: no leader', 'memberID:8 alarm:NOSPACE ', 'alarm:NOSPACE', 'odd'];
    expect(warningsOf({ ...StatusResponse.create(), errors })).toEqual(['NOSPACE', 'odd']);
  });

  it('shows a paused process, and an exit in words', () => {
    const lastExit = {
      code: 1,
      signal: null,
      cause: 'crash',
      atMs: 1,
      reason: 'disk full',
    } as const;
    const [paused] = cluster({ process: { paused: true, lastExit } });
    const view = toNodeView(paused as MemberFacts, null).process;
    expect(view).toMatchObject({ state: 'paused', lastExit: 'exited with code 1: disk full' });
  });
});

describe('changesOf', () => {
  const seen = (...sketches: Sketch[]): Seen => {
    const members = cluster(...sketches);
    return { members, leader: findLeader(members) };
  };
  const kinds = (before: Seen, after: Seen) => changesOf(before, after, 800).map((e) => e.kind);
  const up = { leader: 1n };

  it('says nothing when nothing changes', () => {
    expect(kinds(seen(up, up, up), seen(up, up, up))).toEqual([]);
  });

  it('tells a killed leader and the next one', () => {
    const killed = { signal: 'SIGKILL', code: null, cause: 'kill', atMs: 1, reason: '' } as const;
    const gone = { down: true, process: { lastExit: killed } };
    expect(kinds(seen(up, up, up), seen(gone, up, up))).toEqual(['killed', 'noLeader']);
    const next = { leader: 2n, term: 2 };
    const [event] = changesOf(seen(gone, up, up), seen(gone, next, next), 812.4);
    expect(event).toMatchObject({
      kind: 'leader',
      node: 'n2',
      detail: { term: 2, noLeaderMs: 812 },
    });
  });

  it('sees no lost leader in a cluster that is stopped', () => {
    const stopping = { ...up, process: { state: 'stopping' as const } };
    const before = seen(up, up, up);
    expect(kinds(before, seen(stopping, stopping, stopping))).toEqual([]);
  });

  it('tells crashes, restarts and starts', () => {
    const crash = { code: 3, signal: null, cause: 'crash', atMs: 1, reason: 'x' } as const;
    const backoff = { down: true, process: { state: 'backoff' as const, lastExit: crash } };
    const crashed = { down: true, process: { state: 'crashed' as const, lastExit: crash } };
    expect(kinds(seen(up, up, up), seen(up, up, backoff))).toEqual(['restarting']);
    expect(kinds(seen(up, up, backoff), seen(up, up, crashed))).toEqual(['crashed']);
    expect(kinds(seen(up, up, backoff), seen(up, up, up))).toEqual(['started']);
  });

  it('tells a new alarm once', () => {
    const full = { ...up, errors: ['memberID:1 alarm:NOSPACE '] };
    expect(kinds(seen(up, up, up), seen(full, up, up))).toEqual(['alarm']);
    expect(kinds(seen(full, up, up), seen(full, up, up))).toEqual([]);
  });

  it('tells when a remote member comes and goes', () => {
    const remote = (s: Seen) => ({
      ...s,
      members: s.members.map((m) => ({ ...m, process: null })),
    });
    const all = remote(seen(up, up, up));
    const without = remote(seen(up, up, {}));
    expect(kinds(all, without)).toEqual(['unreachable']);
    expect(kinds(without, all)).toEqual(['reachable']);
  });
});
