import { describe, expect, it } from 'vitest';
import { ElectionService, type LeaderKey } from '../../proto/etcd/v3election.ts';
import { RpcStatus } from '../rpc/status.ts';
import { nodeError } from './testing/backend.ts';
import { TestCaller, type TestServerStream } from './testing/call.ts';
import { LiveBackend } from './testing/live-backend.ts';

/** Lets everything run that waits for nothing but its turn. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

const bytes = (text: string): Buffer => Buffer.from(text);

function setUp(...leases: bigint[]) {
  const backend = new LiveBackend();
  const caller = new TestCaller(backend);
  for (const id of leases) backend.machine.grant(id);
  const campaign = (lease: bigint, value: string, signal?: AbortSignal) =>
    caller.unary(
      ElectionService.campaign,
      { name: bytes('e'), lease, value: bytes(value) },
      {},
      signal,
    );
  /** Campaigns and wins. */
  const elect = async (lease: bigint, value: string): Promise<LeaderKey> => {
    const { leader } = await campaign(lease, value);
    if (leader === undefined) throw new Error('no leader in the response');
    return leader;
  };
  const proclaim = (leader: LeaderKey | undefined, value: string) =>
    caller.unary(ElectionService.proclaim, { leader, value: bytes(value) });
  const resign = (leader: LeaderKey | undefined) =>
    caller.unary(ElectionService.resign, { leader });
  const leader = () => caller.unary(ElectionService.leader, { name: bytes('e') });
  const observe = (metadata = {}) =>
    caller.serverStream(ElectionService.observe, { name: bytes('e') }, metadata);
  return { backend, caller, campaign, elect, proclaim, resign, leader, observe };
}

const unknown = (message: string) => ({ status: RpcStatus.UNKNOWN, message });

describe('a campaign', () => {
  it('is won at once where nobody else stands', async () => {
    const { campaign, leader } = setUp(0xabn);
    const won = await campaign(0xabn, 'me');
    expect(won).toMatchObject({ header: { revision: 2 }, leader: { rev: 2, lease: 0xabn } });
    expect(won.leader?.key.toString()).toBe('e/ab');
    expect((await leader()).kv).toMatchObject({ value: bytes('me'), createRevision: 2 });
  });

  it('waits for its turn, and answers the revision that it began at', async () => {
    const { campaign, elect, resign } = setUp(1n, 2n);
    const first = await elect(1n, 'one');
    const second = campaign(2n, 'two');
    await settle();
    await resign(first);
    expect(await second).toMatchObject({ header: { revision: 3 }, leader: { rev: 3 } });
  });

  it('proclaims another value of the one who leads already', async () => {
    const { backend, campaign, elect, leader } = setUp(1n);
    const first = await elect(1n, 'one');
    expect((await campaign(1n, 'one')).leader).toEqual(first);
    expect(backend.state.revision).toBe(2);
    expect((await campaign(1n, 'other')).leader).toEqual(first);
    expect((await leader()).kv).toMatchObject({ value: bytes('other'), version: 2 });
  });

  it('is withdrawn when the caller gives up, and stays after any other failure', async () => {
    const { backend, campaign, elect } = setUp(1n, 2n, 3n);
    await elect(1n, 'one');
    const abort = new AbortController();
    const second = campaign(2n, 'two', abort.signal);
    await settle();
    abort.abort();
    await expect(second).rejects.toMatchObject({ status: RpcStatus.CANCELLED });
    expect(backend.machine.read('e/', 'e0')).toEqual(['e/1=one']);
    backend.readFailure = nodeError('Timeout');
    await expect(campaign(3n, 'three')).rejects.toMatchObject(
      unknown('etcdserver: request timed out'),
    );
    expect(backend.machine.read('e/', 'e0')).toEqual(['e/1=one', 'e/3=three']);
  });

  it('of the leader that ends early does not end the leadership', async () => {
    const { backend, campaign, elect } = setUp(1n);
    await elect(1n, 'one');
    const abort = new AbortController();
    backend.beforeApply = () => abort.abort();
    await campaign(1n, 'one', abort.signal);
    expect(backend.machine.read('e/', 'e0')).toEqual(['e/1=one']);
  });
});

describe('a leader', () => {
  it('proclaims and resigns under its key', async () => {
    const { backend, elect, proclaim, resign, leader } = setUp(1n);
    const key = await elect(1n, 'one');
    expect((await proclaim(key, 'two')).header?.revision).toBe(3);
    expect((await leader()).kv?.value).toEqual(bytes('two'));
    expect((await resign(key)).header?.revision).toBe(4);
    await expect(leader()).rejects.toMatchObject(unknown('election: no leader'));
    expect(backend.state.leases()).toHaveLength(1);
  });

  it('that is none any more cannot proclaim, and resigns without an effect', async () => {
    const { backend, elect, proclaim, resign } = setUp(1n, 2n);
    const old = await elect(1n, 'one');
    await resign(old);
    await elect(1n, 'again');
    await expect(proclaim(old, 'x')).rejects.toMatchObject(unknown('election: not leader'));
    expect((await resign(old)).header?.revision).toBe(4);
    expect(backend.machine.read('e/', 'e0')).toEqual(['e/1=again']);
  });

  it('has to say under which key', async () => {
    const { proclaim, resign } = setUp();
    const missing = unknown('"leader" field must be provided');
    await expect(proclaim(undefined, 'x')).rejects.toMatchObject(missing);
    await expect(resign(undefined)).rejects.toMatchObject(missing);
  });
});

/** "value@revision" of everything that was observed. */
const seen = ({ received }: TestServerStream<{ kv: unknown; header: unknown }>): string[] =>
  (received as { kv?: { value: Buffer }; header?: { revision: number } }[]).map(
    ({ kv, header }) => `${kv?.value}@${header?.revision}`,
  );

describe('an observer', () => {
  it('sees the present leader, what it proclaims, and the next one', async () => {
    const { backend, campaign, elect, proclaim, resign, observe } = setUp(1n, 2n);
    const first = await elect(1n, 'one');
    backend.machine.put('other');
    const stream = observe();
    await settle();
    await proclaim(first, 'uno');
    const second = campaign(2n, 'two');
    await settle();
    await resign(first);
    await second;
    await settle();
    expect(seen(stream)).toEqual(['one@3', 'uno@4', 'two@6']);
    stream.cancel();
    await stream.ended;
    expect(backend.state.hub.watcherCount).toBe(0);
  });

  it('waits for the first leader, and for one after the last has gone', async () => {
    const { elect, resign, observe } = setUp(1n, 2n);
    const stream = observe();
    await settle();
    expect(stream.received).toEqual([]);
    await resign(await elect(1n, 'one'));
    await settle();
    await elect(2n, 'two');
    await settle();
    expect(seen(stream)).toEqual(['one@2', 'two@4']);
    stream.cancel();
  });

  it('that does not read is sent nothing more until it does', async () => {
    const { backend, elect, proclaim, observe } = setUp(1n);
    const leader = await elect(1n, 'one');
    const stream = observe();
    stream.full = true;
    await settle();
    expect(seen(stream)).toEqual(['one@2']);
    for (const value of ['two', 'three', 'four']) await proclaim(leader, value);
    await settle();
    expect(stream.received).toHaveLength(1);
    stream.drain();
    await settle();
    backend.machine.tasks.drain();
    await settle();
    expect(seen(stream).map((entry) => entry.split('@')[0])).toEqual([
      'one',
      'two',
      'three',
      'four',
    ]);
    stream.full = true;
    await proclaim(leader, 'five');
    await proclaim(leader, 'six');
    expect(stream.received).toHaveLength(5);
    stream.drain();
    backend.machine.tasks.drain();
    expect(seen(stream).at(-1)).toMatch(/^six@/);
    stream.cancel();
    await stream.ended;
  });

  it('that was overtaken by compaction looks for the leader again', async () => {
    const { backend, elect, proclaim, observe } = setUp(1n);
    const leader = await elect(1n, 'one');
    const stream = observe();
    stream.full = true;
    await settle();
    await proclaim(leader, 'two');
    await proclaim(leader, 'three');
    backend.machine.compact(4);
    stream.drain();
    await settle();
    backend.machine.tasks.drain();
    await settle();
    expect(seen(stream)).toEqual(['one@2', 'three@4']);
    stream.cancel();
  });

  it('ends, as in etcd without an error, when the leader cannot be read', async () => {
    const { backend, observe } = setUp();
    backend.readFailure = nodeError('Timeout');
    await observe().ended;
  });

  it('ends when the member loses its leader, if it asked for one', async () => {
    const { backend, caller, observe } = setUp();
    const stream = observe({ hasleader: 'true' });
    await settle();
    backend.status = () => ({ ...LiveBackend.prototype.status.call(backend), leader: 0n });
    caller.clock.advance(60_000);
    await expect(stream.ended).rejects.toMatchObject({
      status: RpcStatus.UNAVAILABLE,
      message: 'etcdserver: no leader',
    });
  });
});
