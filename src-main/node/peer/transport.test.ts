import { connect } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import { freeBasePort } from '../../base/testing/free-ports.ts';
import { Member } from '../../proto/etcd/rpc.ts';
import { Message, PeerCall, PeerCall_Kind, PeerReply } from '../../proto/raftdeck/raft.ts';
import { askMembers } from './ask-members.ts';
import { hello } from './handshake.ts';
import { dialPeer } from './sender.ts';
import { PeerTransport } from './transport.ts';
import { MAX_STRANGERS, type PeerHandler } from './types.ts';

const CLUSTER = 77n;
const REMOVED = 66n;
const STRANGER = {
  clusterId: CLUSTER,
  memberId: 9n,
  version: 'x',
  apiVersion: '3.5.0',
  host: '127.0.0.1',
  port: 1,
};
const open: PeerTransport[] = [];
afterEach(async () => {
  for (const transport of open.splice(0)) await transport.stop();
});

interface Seen {
  messages: Message[];
  calls: PeerCall[];
  replies: PeerReply[];
  unreachable: bigint[];
  snapshots: { index: number; bytes: string }[];
  connected: bigint[];
  removed: boolean;
}

async function member(id: bigint, port: number, overrides: Partial<PeerHandler> = {}) {
  const seen: Seen = {
    messages: [],
    calls: [],
    replies: [],
    unreachable: [],
    snapshots: [],
    connected: [],
    removed: false,
  };
  const handler: PeerHandler = {
    isRemoved: (other) => other === REMOVED,
    members: () => ({ clusterId: CLUSTER, members: [Member.fromPartial({ ID: id, name: 'it' })] }),
    connected: (other) => seen.connected.push(other),
    removed: () => {
      seen.removed = true;
    },
    messages: (_group, _from, messages) => seen.messages.push(...messages),
    calls: (_from, calls) => seen.calls.push(...calls),
    replies: (_from, replies) => seen.replies.push(...replies),
    unreachable: (other) => seen.unreachable.push(other),
    async snapshot(_from, header, chunks) {
      const parts: Buffer[] = [];
      for await (const chunk of chunks) parts.push(chunk);
      seen.snapshots.push({
        index: header.message?.snapshot?.index ?? -1,
        bytes: Buffer.concat(parts).toString(),
      });
    },
    ...overrides,
  };
  const transport = new PeerTransport(
    {
      self: {
        clusterId: CLUSTER,
        memberId: id,
        version: 'test',
        apiVersion: `3.5.${id}`,
        host: '127.0.0.1',
        port,
      },
      listen: [{ host: '127.0.0.1', port }],
      maxRequestBytes: 1024,
      logger: silentLogger,
    },
    handler,
  );
  open.push(transport);
  await transport.start();
  return { transport, seen, address: { id, host: '127.0.0.1', port } };
}

const port = () => freeBasePort(1);

async function pair(overrides: Partial<PeerHandler> = {}) {
  const a = await member(1n, await port());
  const b = await member(2n, await port(), overrides);
  a.transport.setPeers([b.address]);
  b.transport.setPeers([a.address]);
  await vi.waitFor(() =>
    expect(a.transport.isConnected(2n) && b.transport.isConnected(1n)).toBe(true),
  );
  return { a, b };
}

const message = (from: bigint, to: bigint, term: number) => Message.fromPartial({ from, to, term });

describe('messages', () => {
  test('arrive in order; calls and replies too', async () => {
    const { a, b } = await pair();
    for (let term = 0; term < 100; term++) a.transport.send(0, [message(1n, 2n, term)]);
    b.transport.call(
      1n,
      PeerCall.fromPartial({ id: 5, kind: PeerCall_Kind.LEASE_RENEW, leaseId: 9n }),
    );
    a.transport.reply(2n, PeerReply.fromPartial({ id: 5, found: true, ttl: 3, grantedTtl: 4 }));
    await vi.waitFor(() => expect(b.seen.messages).toHaveLength(100));
    expect(b.seen.messages.map((m) => m.term)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    await vi.waitFor(() => expect(a.seen.calls[0]?.leaseId).toBe(9n));
    await vi.waitFor(() => expect(b.seen.replies[0]?.ttl).toBe(3));
  });

  test('that claim to be from a third member are dropped', async () => {
    const { a, b } = await pair();
    a.transport.send(0, [message(3n, 2n, 1), message(1n, 2n, 2)]);
    await vi.waitFor(() => expect(b.seen.messages).toHaveLength(1));
    expect(b.seen.messages[0]?.term).toBe(2);
  });

  test('to a member that is gone are dropped and reported; it is found again when it is back', async () => {
    const { a, b } = await pair();
    await b.transport.stop();
    await vi.waitFor(() => expect(a.seen.unreachable).toContain(2n));
    a.transport.send(0, [message(1n, 2n, 1)]);
    const again = await member(2n, b.address.port);
    await vi.waitFor(() => expect(a.transport.isConnected(2n)).toBe(true), { timeout: 10_000 });
    a.transport.send(0, [message(1n, 2n, 2)]);
    await vi.waitFor(() => expect(again.seen.messages).toHaveLength(1));
  });
});

describe('snapshots', () => {
  const header = {
    group: 0,
    message: Message.fromPartial({ from: 1n, to: 2n, snapshot: { index: 42 } }),
  };
  async function* chunks(...parts: string[]) {
    for (const part of parts) yield Buffer.from(part);
  }

  test('stream through and are acknowledged', async () => {
    const { a, b } = await pair();
    await a.transport.sendSnapshot(2n, header, chunks('one', 'two', 'x'.repeat(300_000)));
    expect(b.seen.snapshots[0]?.index).toBe(42);
    expect(b.seen.snapshots[0]?.bytes).toBe(`onetwo${'x'.repeat(300_000)}`);
  });

  test("a receiver's refusal and a source that breaks reject at the sender", async () => {
    const { a } = await pair({ snapshot: () => Promise.reject(new Error('disk full')) });
    await expect(a.transport.sendSnapshot(2n, header, chunks('one'))).rejects.toThrow(
      /disk full|went away|receipt/,
    );
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from('one');
      throw new Error('read failed');
    }
    await expect(a.transport.sendSnapshot(2n, header, broken())).rejects.toThrow(/read failed/);
  });

  test('a stream that is cut off is no snapshot', async () => {
    let failure: unknown;
    const { a, b } = await pair({
      async snapshot(_from, _header, parts) {
        try {
          for await (const part of parts) void part;
        } catch (error) {
          failure = error;
          throw error;
        }
      },
    });
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from('one');
      throw new Error('read failed');
    }
    await a.transport.sendSnapshot(2n, header, broken()).catch(() => {});
    await vi.waitFor(() => expect(String(failure)).toMatch(/cut off|aborted|closed|reset/i));
    expect(b.seen.snapshots).toEqual([]);
  });
});

describe('strangers', () => {
  test.each([
    ['another cluster', 78n, 1n, 2n],
    ['one that was removed', CLUSTER, REMOVED, 2n],
    ['for someone else', CLUSTER, 1n, 3n],
  ])('%s is refused', async (_what, clusterId, from, to) => {
    const b = await member(2n, await port());
    const socket = connect({ host: '127.0.0.1', port: b.address.port });
    socket.write(hello({ ...STRANGER, clusterId, memberId: from }, to, 'raft'));
    const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
    expect(answer.toString('latin1')).toMatch(/is not|this is member|was removed/);
    socket.destroy();
  });

  test('of this cluster are heard and answered, until they go or are known', async () => {
    const b = await member(2n, await port());
    b.transport.setPeers([]);
    const joined = await member(9n, await port());
    joined.transport.setPeers([b.address]);
    await vi.waitFor(() => expect(b.transport.canAsk(9n)).toBe(true));
    joined.transport.send(0, [message(9n, 2n, 1)]);
    await vi.waitFor(() => expect(b.seen.messages).toHaveLength(1));
    b.transport.send(0, [message(2n, 9n, 2)]);
    await vi.waitFor(() => expect(joined.seen.messages.map(({ term }) => term)).toEqual([2]));
    b.transport.setPeers([joined.address]);
    expect(b.transport.isConnected(9n)).toBe(true);
    b.transport.setPeers([]);
    await vi.waitFor(() => expect(b.transport.canAsk(9n)).toBe(true));
    await joined.transport.stop();
    await vi.waitFor(() => expect(b.transport.isConnected(9n)).toBe(false));
    const answers = b.seen.unreachable.length;
    b.transport.send(0, [message(2n, 9n, 3)]);
    expect(b.seen.unreachable).toHaveLength(answers);
  });

  test('are answered up to a limit', async () => {
    const b = await member(2n, await port());
    const dialled = Array.from({ length: MAX_STRANGERS + 1 }, (_, i) =>
      dialPeer({ ...STRANGER, memberId: 100n + BigInt(i) }, b.address, 'raft'),
    );
    const sockets = (await Promise.all(dialled)).map(({ socket }) => socket);
    b.seen.unreachable.length = 0;
    for (let i = 0; i <= MAX_STRANGERS; i++)
      b.transport.send(0, [message(2n, 100n + BigInt(i), 1)]);
    expect(b.seen.unreachable).toHaveLength(MAX_STRANGERS);
    for (const socket of sockets) socket.destroy();
  });

  test('bytes that are no hello end the connection', async () => {
    const b = await member(2n, await port());
    const socket = connect({ host: '127.0.0.1', port: b.address.port });
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
  });

  test('a port in use is named', async () => {
    const b = await member(2n, await port());
    await expect(member(3n, b.address.port)).rejects.toThrow(
      `peer port ${b.address.port} on 127.0.0.1 is in use`,
    );
  });
});

describe('membership', () => {
  test('both sides of a connection know the other’s API version and tell that it stands', async () => {
    const { a, b } = await pair();
    expect(a.transport.apiVersion(2n)).toBe('3.5.2');
    expect(b.transport.apiVersion(1n)).toBe('3.5.1');
    expect(a.seen.connected).toContain(2n);
    expect(a.transport.connectedForMs(2n)).toBeGreaterThanOrEqual(0);
    expect(a.transport.connectedForMs(3n)).toBeUndefined();
    expect([2n, 3n].map((id) => a.transport.canAsk(id))).toEqual([true, false]);
  });

  test('a version outlives the connection, its duration does not', async () => {
    const { a, b } = await pair();
    await b.transport.stop();
    await vi.waitFor(() => expect(a.transport.connectedForMs(2n)).toBeUndefined());
    expect(a.transport.apiVersion(2n)).toBe('3.5.2');
  });

  test('one that was removed is told so', async () => {
    const removed = await member(REMOVED, await port());
    const b = await member(2n, await port());
    removed.transport.setPeers([b.address]);
    await vi.waitFor(() => expect(removed.seen.removed).toBe(true));
    expect(b.seen.connected).toEqual([]);
  });

  test('the word of another cluster that one was removed counts for nothing', async () => {
    const b = await member(2n, await port());
    const dialled = dialPeer({ ...STRANGER, clusterId: 5n, memberId: REMOVED }, b.address, 'raft');
    await expect(dialled).rejects.toMatchObject({ code: 'PeerRefused' });
  });

  test('connections of a member that is gone from the list are closed', async () => {
    const { a, b } = await pair();
    b.transport.setPeers([]);
    await vi.waitFor(() => expect(a.seen.unreachable).toContain(2n));
  });

  test('a stranger may ask who is in the cluster', async () => {
    const b = await member(2n, await port());
    const answer = await askMembers(b.address, { version: 'x', apiVersion: '3.5.0' });
    expect(answer).toMatchObject({ clusterId: CLUSTER, members: [{ ID: 2n, name: 'it' }] });
  });

  test('asking where nobody listens fails', async () => {
    const versions = { version: 'x', apiVersion: '3.5.0' };
    await expect(askMembers({ host: '127.0.0.1', port: await port() }, versions)).rejects.toThrow();
  });
});
