/**
 * Runs sandboxed beside the page, so it is CommonJS and imports nothing but Electron. It exposes
 * the Transport of contract/wire.ts as window.raftdeck, and nothing of Electron itself.
 */
import type { ClientFrame, ServerFrame, Transport } from '../../contract/wire.ts' with {
  'resolution-mode': 'import',
};

const { contextBridge, ipcRenderer } = require('electron') as typeof import('electron');

// The same as CHANNELS in ../security/window-policy.ts.
const HELLO = 'raftdeck:hello';
const FRAME = 'raftdeck:frame';
const CLOSED = 'raftdeck:closed';

const transport: Transport = {
  send(frame: ClientFrame) {
    ipcRenderer.send(FRAME, frame);
  },
  onFrame(listener) {
    // Without the event: it would hand the page an ipcRenderer.
    ipcRenderer.on(FRAME, (_event, frame: ServerFrame) => listener(frame));
  },
  onState(listener) {
    ipcRenderer.on(CLOSED, () => listener('closed'));
    // Main has taken the greeting below before any frame: messages keep their order.
    listener('open');
  },
};

ipcRenderer.send(HELLO);
contextBridge.exposeInMainWorld('raftdeck', transport);
