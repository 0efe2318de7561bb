/** The desktop app's entry: its life cycle, and nothing that could be said elsewhere. */
import { join } from 'node:path';
import { app, type BrowserWindow, dialog, ipcMain, session, type WebContents } from 'electron';
import { CodedError, errorMessage } from '../../base/errors.ts';
import { createApp } from '../../services/app.ts';
import { packageRoot } from '../../services/package-root.ts';
import { defaultDataDir, prepareDataDir } from '../../supervisor/data-dir.ts';
import { lineLogger } from '../security/logger.ts';
import { StaticFiles } from '../security/static-files.ts';
import { CHANNELS, type IpcSender } from '../security/window-policy.ts';
import { Bridge } from './bridge.ts';
import { UtilityLauncher } from './launcher.ts';
import { installMenu } from './menu.ts';
import { registerScheme, secureSession } from './session.ts';
import { createTray } from './tray.ts';
import { createWindow } from './window.ts';

const root = packageRoot();
const iconPath = join(root, 'resources', 'icons', 'icon.png');
const logger = lineLogger('warn', (line) => process.stderr.write(line));
const dataDir = defaultDataDir();

function fail(error: unknown): never {
  const hint = error instanceof CodedError && error.hint !== undefined ? `\n\n${error.hint}` : '';
  dialog.showErrorBox('Raftdeck cannot start', `${errorMessage(error)}${hint}`);
  app.exit(1);
  throw error;
}

function pageOf(contents: WebContents) {
  return {
    id: contents.id,
    send(channel: string, ...values: unknown[]) {
      if (!contents.isDestroyed()) contents.send(channel, ...values);
    },
  };
}

function senderOf(event: Electron.IpcMainEvent): IpcSender {
  const frame = event.senderFrame;
  return { frameUrl: frame?.url ?? null, isMainFrame: frame === event.sender.mainFrame };
}

async function run(): Promise<void> {
  await app.whenReady();
  secureSession(session.defaultSession, new StaticFiles(join(root, 'dist', 'renderer')));
  const launcher = new UtilityLauncher();
  const raftdeck = await createApp({ dataDir, hostKind: 'electron', launcher, logger });
  const bridge = new Bridge(raftdeck, logger);
  ipcMain.on(CHANNELS.hello, (event) => bridge.onHello(pageOf(event.sender), senderOf(event)));
  ipcMain.on(CHANNELS.frame, (event, frame: unknown) =>
    bridge.onFrame(pageOf(event.sender), senderOf(event), frame),
  );
  installMenu();
  let window: BrowserWindow | null = null;
  const show = () => {
    if (window === null) {
      const opened = createWindow(iconPath);
      const { id } = opened.webContents;
      opened.webContents.on('render-process-gone', () => bridge.drop(id));
      opened.on('closed', () => {
        bridge.drop(id);
        window = null;
      });
      window = opened;
    }
    if (window.isMinimized()) window.restore();
    window.focus();
  };
  app.on('second-instance', show);
  app.on('activate', show);
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin') app.quit();
  });
  let closing = false;
  const started = raftdeck.startDefault().catch((error: unknown) => {
    logger.error('the local clusters did not start', { error: errorMessage(error) });
  });
  app.on('before-quit', (event) => {
    event.preventDefault();
    if (closing) return;
    closing = true;
    // The nodes are stopped first: what they hold is on disk before the app is gone.
    void started
      .then(() => raftdeck.close())
      .then(
        () => app.exit(0),
        () => app.exit(1),
      );
  });
  show();
  // Kept by Electron as long as somebody holds it.
  const tray = createTray(iconPath, show);
  app.on('quit', () => tray.destroy());
}

registerScheme();
app.enableSandbox();
// Electron waits for this before it is ready: the profile lies in the data folder, one per folder.
await prepareDataDir(dataDir, 'app').catch(fail);
app.setPath('userData', join(dataDir, 'window'));
if (app.requestSingleInstanceLock()) run().catch(fail);
else app.quit();
