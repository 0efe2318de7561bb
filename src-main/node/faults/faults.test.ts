import { describe, expect, test, vi } from 'vitest';
import { seededRandom } from '../../base/prng.ts';
import { DiskError, FaultSet, LinkFault } from '../../proto/raftdeck/inspect.ts';
import { Message, MessageType, type PeerCall, type PeerReply } from '../../proto/raftdeck/raft.ts';
import { TestClock } from '../api/testing/call.ts';
import type { PeerHandler, PeerNetwork } from '../peer/types.ts';
import { systemFiles, type WalFile } from '../wal/files.ts';
import { faultyFiles } from './fault-files.ts';
import { faultyNetwork, MAX_HELD } from './fault-network.ts';
import { Faults, MAX_DELAY_MS, MAX_DURATION_MS, refusalOfFaults } from './faults.ts';

const PEER = 2n;

function setup() {
  const clock = new TestClock();
  const faults = new Faults(clock);
  const sent: number[] = [];
  const got: number[] = [];
  const asked: string[] = [];
  let inner: PeerHandler | undefined;
  const peers = {
    send: (_group: number, messages: Message[]) => sent.push(...messages.map(({ term }) => term)),
    call: () => asked.push('call'),
    reply: () => asked.push('reply'),
    sendSnapshot: async (_to: bigint, _header: unknown, chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) asked.push(chunk.toString());
    },
    isConnected: () => true,
    canAsk: () => true,
    connectedForMs: () => 7,
  } as unknown as PeerNetwork;
  const network = faultyNetwork(
    {
      askMembers: () => Promise.reject(new Error('not asked')),
      open: (_options, handler) => {
        inner = handler;
        return peers;
      },
    },
    faults,
    clock,
    seededRandom(1),
  );
  const handler = {
    messages: (_group: number, _from: bigint, messages: Message[]) =>
      got.push(...messages.map(({ term }) => term)),
    calls: () => got.push(-1),
    replies: () => got.push(-2),
    snapshot: async () => {
      got.push(-3);
    },
  } as unknown as PeerHandler;
  const opened = network.open({} as never, handler);
  const send = (...terms: number[]) => opened.send(0, terms.map(message));
  const receive = (...terms: number[]) => inner?.messages(0, PEER, terms.map(message));
  return {
    clock,
    faults,
    sent,
    got,
    asked,
    opened,
    inner: () => inner as PeerHandler,
    send,
    receive,
  };
}

const message = (term: number) =>
  Message.fromPartial({ type: MessageType.APPEND, term, to: PEER, from: PEER });
const link = (fault: Partial<LinkFault>) => ({
  links: [LinkFault.fromPartial({ peer: PEER, ...fault })],
});
const set = (partial: Parameters<typeof FaultSet.fromPartial>[0]) => FaultSet.fromPartial(partial);

describe('links', () => {
  test('without faults everything passes at once', () => {
    const { sent, got, send, receive } = setup();
    send(1, 2);
    receive(3);
    expect([sent, got]).toEqual([[1, 2], [3]]);
  });

  test('a link may be cut one way, and heals', () => {
    const { faults, sent, got, asked, opened, inner, send, receive } = setup();
    faults.set(set(link({ cutOutgoing: true })));
    send(1);
    receive(2);
    opened.call(PEER, {} as PeerCall);
    opened.reply(PEER, {} as PeerReply);
    expect([sent, got, asked]).toEqual([[], [2], []]);
    expect([opened.isConnected(PEER), opened.canAsk(PEER)]).toEqual([false, false]);
    expect([opened.isConnected(9n), opened.connectedForMs(PEER)]).toEqual([true, undefined]);
    faults.set(set(link({ cutIncoming: true })));
    send(3);
    receive(4);
    inner().calls(PEER, []);
    inner().replies(PEER, []);
    expect([sent, got]).toEqual([[3], [2]]);
    faults.heal();
    send(5);
    receive(6);
    expect([sent, got]).toEqual([
      [3, 5],
      [2, 6],
    ]);
  });

  test('a snapshot does not get through a link that is cut, nor past the moment when it is', async () => {
    const { faults, asked, opened, inner } = setup();
    async function* chunks() {
      yield Buffer.from('a');
      faults.set(set(link({ cutOutgoing: true })));
      yield Buffer.from('b');
    }
    await expect(opened.sendSnapshot(PEER, {} as never, chunks())).rejects.toThrow(
      /cut on purpose/,
    );
    expect(asked).toEqual(['a']);
    faults.set(set(link({ cutIncoming: true })));
    await expect(inner().snapshot(PEER, {} as never, chunks())).rejects.toThrow(/cut on purpose/);
  });

  test('a delayed link keeps the order, also when the delay is taken away', () => {
    const { clock, faults, sent, send } = setup();
    faults.set(set(link({ delayMs: 100 })));
    send(1);
    clock.advance(20);
    send(2);
    faults.heal();
    send(3);
    clock.advance(29);
    expect(sent).toEqual([]);
    clock.advance(1);
    expect(sent).toEqual([1]);
    clock.advance(20);
    expect(sent).toEqual([1, 2, 3]);
    send(4);
    expect(sent).toEqual([1, 2, 3, 4]);
  });

  test('what is on its way is lost when the link is cut, and what is held up is bounded', () => {
    const { clock, faults, got, receive } = setup();
    faults.set(set(link({ delayMs: 10 })));
    receive(1);
    faults.set(set(link({ cutIncoming: true })));
    clock.advance(10);
    expect(got).toEqual([]);
    faults.set(set(link({ delayMs: 10 })));
    for (let i = 0; i < MAX_HELD + 5; i++) receive(i);
    clock.advance(10);
    expect(got).toHaveLength(MAX_HELD);
  });

  test('a lossy link loses about as many as it should', () => {
    const { faults, sent, send } = setup();
    faults.set(set(link({ lossPerMille: 250 })));
    for (let i = 0; i < 4_000; i++) send(i);
    expect(sent.length).toBeGreaterThan(2_800);
    expect(sent.length).toBeLessThan(3_200);
  });
});

describe('the disk', () => {
  const file = (): WalFile => ({
    write: async (bytes) => bytes.length,
    datasync: async () => {},
    truncate: async () => {},
    close: async () => {},
  });

  async function open() {
    const clock = new TestClock();
    const faults = new Faults(clock);
    const files = { ...systemFiles, open: async () => file(), create: async () => file() };
    const faulty = faultyFiles(files, faults, clock);
    return { clock, faults, faulty, opened: await faulty.open('x') };
  }

  test('is slow to sync for as long as it is told', async () => {
    const { clock, faults, opened } = await open();
    await opened.datasync();
    faults.set(set({ disk: { syncDelayMs: 50 } }));
    const done = vi.fn();
    void opened.datasync().then(done);
    clock.advance(49);
    await new Promise(setImmediate);
    expect(done).not.toHaveBeenCalled();
    clock.advance(1);
    await expect.poll(() => done.mock.calls.length).toBe(1);
  });

  test('is full, or broken, with the codes of the system', async () => {
    const { faults, faulty, opened } = await open();
    faults.set(set({ disk: { error: DiskError.FULL } }));
    await expect(opened.write(Buffer.from('x'), 0)).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(faulty.create('y')).rejects.toMatchObject({ code: 'ENOSPC' });
    await opened.datasync();
    faults.set(set({ disk: { error: DiskError.BROKEN } }));
    await expect(opened.datasync()).rejects.toMatchObject({ code: 'EIO' });
    expect(await opened.write(Buffer.from('x'), 0)).toBe(1);
  });
});

describe('a set of faults', () => {
  test('ends by itself, says how long it still lasts, and tells whoever listens', () => {
    const clock = new TestClock();
    const faults = new Faults(clock);
    const changed = vi.fn();
    faults.onChange(changed);
    faults.set(set({ ...link({ delayMs: 5 }), durationMs: 1_000 }));
    clock.advance(399.7);
    expect(faults.get()).toMatchObject({ durationMs: 600, links: [{ peer: PEER, delayMs: 5 }] });
    clock.advance(600.3);
    expect(faults.get()).toEqual({ links: [], disk: { syncDelayMs: 0, error: 0 }, durationMs: 0 });
    expect(changed).toHaveBeenCalledTimes(2);
  });

  test('that replaces another one is not ended with it', () => {
    const clock = new TestClock();
    const faults = new Faults(clock);
    faults.set(set({ ...link({ delayMs: 5 }), durationMs: 100 }));
    faults.set(set(link({ cutIncoming: true })));
    clock.advance(200);
    expect(faults.link(PEER)?.cutIncoming).toBe(true);
  });

  test('is refused in words', () => {
    expect(refusalOfFaults(set({}))).toBeUndefined();
    expect(refusalOfFaults(set(link({ delayMs: MAX_DELAY_MS })))).toBeUndefined();
    expect(refusalOfFaults(set(link({ delayMs: MAX_DELAY_MS + 1 })))).toMatch(/at most 60000 ms/);
    expect(refusalOfFaults(set({ disk: { syncDelayMs: MAX_DELAY_MS + 1 } }))).toMatch(/delay/);
    expect(refusalOfFaults(set(link({ peer: 0n })))).toMatch(/must name the member/);
    expect(refusalOfFaults(set({ links: [{ peer: 1n }, { peer: 1n }] }))).toMatch(/twice/);
    expect(refusalOfFaults(set(link({ lossPerMille: 1_001 })))).toMatch(/thousand/);
    expect(refusalOfFaults(set({ durationMs: MAX_DURATION_MS + 1 }))).toMatch(/at most/);
    expect(refusalOfFaults(set({ disk: { error: 7 as DiskError } }))).toMatch(/no such error/);
    const many = Array.from({ length: 65 }, (_, i) => ({ peer: BigInt(i + 1) }));
    expect(refusalOfFaults(set({ links: many }))).toMatch(/at most 64 links/);
  });
});
