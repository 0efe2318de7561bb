import '../styles/index.ts';
import { mount } from 'svelte';
import { ContractClient } from '../api/client.ts';
import { ipcTransport } from '../api/ipc-transport.ts';
import { socketUrl, WebSocketTransport } from '../api/websocket-transport.ts';
import App from './App.svelte';
import { AppState } from './app-state.svelte.ts';

const ipc = ipcTransport(window);
const socket = ipc === null ? new WebSocketTransport(socketUrl(location.href)) : null;
const client = new ContractClient(ipc ?? (socket as WebSocketTransport));
const app = new AppState(client, window, socket === null ? null : () => socket.retryNow());

const target = document.getElementById('app');
if (target === null) throw new Error('the page has no #app');
mount(App, { target, props: { app } });
