import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import type { ServerFrame } from '../../contract/wire.ts';
import type { App } from '../../services/app.ts';
import { type Handlers, Session } from '../../services/dispatcher.ts';
import { APP_URL, CHANNELS } from '../security/window-policy.ts';
import { Bridge } from './bridge.ts';
import { toCloneable } from './cloneable.ts';
import { windowEnvironment } from './launch.ts';

const ours = { frameUrl: APP_URL, isMainFrame: true };
const call = { t: 'call', id: 1, name: 'notes.list', input: {} };

function setUp() {
  const sessions: Session[] = [];
  const handlers = { calls: { 'notes.list': () => [] }, streams: {} } as unknown as Handlers;
  const app: App = {
    openSession(send: (frame: ServerFrame) => void) {
      const session = new Session(handlers, send, silentLogger);
      sessions.push(session);
      return session;
    },
    startDefault: async () => {},
    close: async () => {},
  };
  const sent: [string, ...unknown[]][] = [];
  const page = { id: 1, send: (...message: [string, ...unknown[]]) => void sent.push(message) };
  return { bridge: new Bridge(app, silentLogger), page, sent, sessions };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('Bridge', () => {
  it('carries frames of our page', async () => {
    const { bridge, page, sent } = setUp();
    bridge.onHello(page, ours);
    bridge.onFrame(page, ours, call);
    await settle();
    expect(sent).toEqual([[CHANNELS.frame, { t: 'result', id: 1, output: [] }]]);
  });

  it.each([
    { frameUrl: 'https://evil.example/', isMainFrame: true },
    { frameUrl: APP_URL, isMainFrame: false },
    { frameUrl: null, isMainFrame: true },
  ])('ignores %j', async (sender) => {
    const { bridge, page, sent, sessions } = setUp();
    bridge.onHello(page, sender);
    expect(sessions).toHaveLength(0);
    bridge.onHello(page, ours);
    bridge.onFrame(page, sender, call);
    await settle();
    expect(sent).toEqual([]);
  });

  it('gives a page that was loaded anew a session of its own', async () => {
    const { bridge, page, sent, sessions } = setUp();
    bridge.onHello(page, ours);
    bridge.onFrame(page, ours, call);
    bridge.onHello(page, ours);
    await settle();
    expect(sessions).toHaveLength(2);
    expect(sent).toEqual([]);
  });

  it('ends the session of a page that sends what is no frame', async () => {
    const { bridge, page, sent } = setUp();
    bridge.onHello(page, ours);
    bridge.onFrame(page, ours, 'nonsense');
    bridge.onFrame(page, ours, call);
    await settle();
    expect(sent).toEqual([[CHANNELS.closed]]);
  });
});

describe('toCloneable', () => {
  it('gives bytes a buffer of exactly their own', () => {
    const pooled = Buffer.from('key');
    const output = toCloneable({ rows: [{ key: pooled, lease: null }], count: 1 });
    expect(output).toEqual({ rows: [{ key: new Uint8Array(pooled), lease: null }], count: 1 });
    const { key } = (output as { rows: { key: Uint8Array }[] }).rows[0] ?? {};
    expect(key?.buffer.byteLength).toBe(3);
    expect(structuredClone(output)).toEqual(output);
  });
});

describe('windowEnvironment', () => {
  it('names the data folder and does not let Electron run as Node', () => {
    const env = windowEnvironment({ PATH: '/bin', ELECTRON_RUN_AS_NODE: '1' }, '/data');
    expect(env).toEqual({ PATH: '/bin', RAFTDECK_DATA_DIR: '/data' });
  });
});
