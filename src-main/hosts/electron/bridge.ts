import type { Logger } from '../../base/logger.ts';
import type { ServerFrame } from '../../contract/wire.ts';
import type { App } from '../../services/app.ts';
import type { Session } from '../../services/dispatcher.ts';
import { CHANNELS, type IpcSender, isTrustedSender } from '../security/window-policy.ts';
import { toCloneable } from './cloneable.ts';

/** What the bridge needs of a window. */
export interface Page {
  readonly id: number;
  send(channel: string, ...values: unknown[]): void;
}

/**
 * Between the windows' IPC and their sessions: one session per loaded page. Knows nothing of
 * Electron.
 */
export class Bridge {
  readonly #app: App;
  readonly #logger: Logger;
  readonly #sessions = new Map<number, Session>();

  constructor(app: App, logger: Logger) {
    this.#app = app;
    this.#logger = logger;
  }

  /** A page was loaded, for the first time or anew. */
  onHello(page: Page, sender: IpcSender): void {
    if (!this.#isTrusted(sender)) return;
    this.drop(page.id);
    const send = (frame: ServerFrame) => page.send(CHANNELS.frame, toCloneable(frame));
    this.#sessions.set(page.id, this.#app.openSession(send));
  }

  onFrame(page: Page, sender: IpcSender, frame: unknown): void {
    if (!this.#isTrusted(sender)) return;
    const session = this.#sessions.get(page.id);
    if (session === undefined || session.receive(frame)) return;
    // A page that sends what is no frame is not ours any more.
    this.drop(page.id);
    page.send(CHANNELS.closed);
  }

  /** The page is gone, or is about to be. */
  drop(pageId: number): void {
    this.#sessions.get(pageId)?.dispose();
    this.#sessions.delete(pageId);
  }

  #isTrusted(sender: IpcSender): boolean {
    if (isTrustedSender(sender)) return true;
    this.#logger.warn('message of an untrusted frame dropped', { url: sender.frameUrl });
    return false;
  }
}
