import { describe, expect, it, vi } from 'vitest';
import {
  type ClientFrame,
  type ServerFrame,
  STREAM_CREDITS,
} from '../../src-main/contract/wire.ts';
import { ContractCallError, ContractClient, errorText, MAX_PENDING_CALLS } from './client.ts';

/** The other end of the wire, as the contract describes it. */
class Wire {
  readonly sent: ClientFrame[] = [];
  frame: (frame: ServerFrame) => void = () => {};
  state: (state: 'connecting' | 'open' | 'closed') => void = () => {};

  readonly transport = {
    send: (frame: ClientFrame) => void this.sent.push(frame),
    onFrame: (listener: (frame: ServerFrame) => void) => {
      this.frame = listener;
    },
    onState: (listener: (state: 'connecting' | 'open' | 'closed') => void) => {
      this.state = listener;
    },
  };

  last<T extends ClientFrame['t']>(t: T): Extract<ClientFrame, { t: T }> {
    const found = this.sent.findLast((frame) => frame.t === t);
    if (found === undefined) throw new Error(`no ${t} frame was sent`);
    return found as Extract<ClientFrame, { t: T }>;
  }
}

function connected() {
  const wire = new Wire();
  const client = new ContractClient(wire.transport);
  wire.state('open');
  return { wire, client };
}

describe('calls', () => {
  it('sends the name and the input, and resolves with the output of its own id', async () => {
    const { wire, client } = connected();
    const first = client.call('keys.count', { clusterId: 'c', key: Uint8Array.of(0) });
    const firstId = wire.last('call').id;
    const second = client.call('clusters.list', {});
    const secondId = wire.last('call').id;
    expect(wire.sent[0]).toMatchObject({
      t: 'call',
      name: 'keys.count',
      input: { clusterId: 'c' },
    });
    wire.frame({ t: 'result', id: secondId, output: [] });
    wire.frame({ t: 'result', id: firstId, output: { count: 3, revision: 9 } });
    await expect(first).resolves.toEqual({ count: 3, revision: 9 });
    await expect(second).resolves.toEqual([]);
  });

  it('rejects with the code, the message and the hint that main gave', async () => {
    const { wire, client } = connected();
    const call = client.call('clusters.start', { clusterId: 'c' });
    const error = {
      code: 'PortInUse',
      message: 'port 2379 is taken',
      hint: 'Choose another.',
    } as const;
    wire.frame({ t: 'error', id: wire.last('call').id, error });
    const failure = await call.catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(ContractCallError);
    expect(failure).toMatchObject(error);
    expect(errorText(failure)).toBe('port 2379 is taken. Choose another.');
  });

  it('holds calls back until the first connection is there', async () => {
    const wire = new Wire();
    const client = new ContractClient(wire.transport);
    const call = client.call('app.info', {});
    expect(wire.sent).toEqual([]);
    wire.state('open');
    wire.frame({ t: 'result', id: wire.last('call').id, output: { version: '1' } });
    await expect(call).resolves.toEqual({ version: '1' });
  });

  it('fails what is under way when the connection is lost, and what comes while it is gone', async () => {
    const { wire, client } = connected();
    const call = client.call('clusters.list', {});
    wire.state('closed');
    await expect(call).rejects.toMatchObject({ code: 'Unavailable' });
    wire.state('connecting');
    await expect(client.call('clusters.list', {})).rejects.toMatchObject({ code: 'Unavailable' });
    expect(wire.sent).toHaveLength(1);
  });

  it('tells main of a cancelled call, and ignores an answer that comes all the same', async () => {
    const { wire, client } = connected();
    const abort = new AbortController();
    const call = client.call('clusters.list', {}, { signal: abort.signal });
    const { id } = wire.last('call');
    abort.abort();
    await expect(call).rejects.toMatchObject({ code: 'Cancelled' });
    expect(wire.last('cancel')).toEqual({ t: 'cancel', id });
    expect(() => wire.frame({ t: 'result', id, output: [] })).not.toThrow();
    const late = client.call('clusters.list', {}, { signal: abort.signal });
    await expect(late).rejects.toMatchObject({ code: 'Cancelled' });
    expect(wire.sent.filter((frame) => frame.t === 'call')).toHaveLength(1);
  });

  it('bounds the calls under way', async () => {
    const { client } = connected();
    const calls = Array.from({ length: MAX_PENDING_CALLS }, () => client.call('clusters.list', {}));
    await expect(client.call('clusters.list', {})).rejects.toMatchObject({ code: 'Unavailable' });
    expect(calls).toHaveLength(MAX_PENDING_CALLS);
  });

  it('rejects a call whose frame cannot be sent', async () => {
    const { wire, client } = connected();
    wire.transport.send = () => {
      throw new Error('cannot be encoded');
    };
    await expect(client.call('clusters.list', {})).rejects.toThrow('cannot be encoded');
  });
});

describe('streams', () => {
  it('delivers batches and grants credits back once they were consumed', async () => {
    const { wire, client } = connected();
    const batches: unknown[][] = [];
    client.open(
      'logs.follow',
      { clusterId: 'c' },
      { onItems: (items) => void batches.push(items) },
    );
    const { id, credits } = wire.last('open');
    expect(credits).toBe(STREAM_CREDITS);
    for (let i = 0; i < STREAM_CREDITS / 2; i++) wire.frame({ t: 'items', id, items: [[]] });
    await vi.waitFor(() => expect(wire.last('credit').credits).toBe(STREAM_CREDITS / 2));
    expect(batches).toHaveLength(STREAM_CREDITS / 2);
  });

  it('grants nothing while a view still works on its batches', async () => {
    const { wire, client } = connected();
    let release = () => {};
    const busy = new Promise<void>((resolve) => {
      release = resolve;
    });
    client.open('logs.follow', { clusterId: 'c' }, { onItems: () => busy });
    const { id } = wire.last('open');
    for (let i = 0; i < STREAM_CREDITS; i++) wire.frame({ t: 'items', id, items: [[]] });
    await Promise.resolve();
    expect(wire.sent.some((frame) => frame.t === 'credit')).toBe(false);
    release();
    await vi.waitFor(() => {
      const granted = wire.sent.reduce((sum, f) => sum + (f.t === 'credit' ? f.credits : 0), 0);
      expect(granted).toBe(STREAM_CREDITS);
    });
  });

  it('ends once, with the error that main gave', () => {
    const { wire, client } = connected();
    const onEnd = vi.fn();
    const stream = client.open('storage.follow', { clusterId: 'c' }, { onItems: () => {}, onEnd });
    const { id } = wire.last('open');
    wire.frame({ t: 'end', id, error: { code: 'NotFound', message: 'gone' } });
    wire.frame({ t: 'end', id });
    stream.close();
    expect(onEnd).toHaveBeenCalledTimes(1);
    expect(onEnd.mock.calls[0]?.[0]).toMatchObject({ code: 'NotFound' });
    expect(wire.sent.some((frame) => frame.t === 'close')).toBe(false);
  });

  it('is silent after close, and tells main', () => {
    const { wire, client } = connected();
    const onItems = vi.fn();
    const stream = client.open('clusters.follow', {}, { onItems });
    const { id } = wire.last('open');
    stream.close();
    wire.frame({ t: 'items', id, items: [[]] });
    expect(onItems).not.toHaveBeenCalled();
    expect(wire.last('close')).toEqual({ t: 'close', id });
  });

  it('opens streams of states anew after a reconnect, under another id', () => {
    const { wire, client } = connected();
    const onItems = vi.fn();
    const onInterrupted = vi.fn();
    const onEnd = vi.fn();
    client.open('cluster.overview', { clusterId: 'c' }, { onItems, onInterrupted, onEnd });
    const first = wire.last('open').id;
    wire.state('closed');
    expect(onInterrupted).toHaveBeenCalledTimes(1);
    wire.state('connecting');
    wire.state('open');
    const second = wire.last('open');
    expect(second.id).not.toBe(first);
    expect(second.input).toEqual({ clusterId: 'c' });
    wire.frame({ t: 'items', id: first, items: [{}] });
    expect(onItems).not.toHaveBeenCalled();
    wire.frame({ t: 'items', id: second.id, items: [{}] });
    expect(onItems).toHaveBeenCalledTimes(1);
    expect(onEnd).not.toHaveBeenCalled();
  });

  it('ends watches when the connection is lost, and refuses new ones until it is back', async () => {
    const { wire, client } = connected();
    const onEnd = vi.fn();
    const input = { clusterId: 'c', key: Uint8Array.of(1) };
    client.open('watch.open', input, { onItems: () => {}, onEnd });
    wire.state('closed');
    expect(onEnd.mock.calls).toMatchObject([[{ code: 'Unavailable' }]]);
    const refused = vi.fn();
    client.open('watch.open', input, { onItems: () => {}, onEnd: refused });
    expect(refused).not.toHaveBeenCalled();
    await vi.waitFor(() => expect(refused).toHaveBeenCalledTimes(1));
    wire.state('open');
    expect(wire.sent.filter((frame) => frame.t === 'open')).toHaveLength(1);
  });

  it('does not stall a stream whose view threw', async () => {
    const { wire, client } = connected();
    vi.stubGlobal('reportError', vi.fn());
    let batches = 0;
    client.open(
      'clusters.follow',
      {},
      {
        onItems: () => {
          batches++;
          throw new Error('view');
        },
      },
    );
    const { id } = wire.last('open');
    for (let i = 0; i < STREAM_CREDITS / 2; i++) wire.frame({ t: 'items', id, items: [[]] });
    await vi.waitFor(() => expect(wire.last('credit').credits).toBe(STREAM_CREDITS / 2));
    expect(batches).toBe(STREAM_CREDITS / 2);
    expect(reportError).toHaveBeenCalled();
    vi.unstubAllGlobals();
  });

  it('tells its state to whoever asks, until they unsubscribe', () => {
    const wire = new Wire();
    const client = new ContractClient(wire.transport);
    const states: string[] = [];
    const stop = client.onState((state) => states.push(state));
    wire.state('open');
    wire.state('closed');
    stop();
    wire.state('connecting');
    expect(states).toEqual(['connecting', 'open', 'closed']);
  });
});
