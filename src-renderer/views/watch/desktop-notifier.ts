import type { Notice, Notifier, Permission } from './notice-rules.svelte.ts';

export interface NoticeWords {
  title(notice: Notice): string;
  body(notice: Notice): string;
}

/** The host's own notifications: the Notification API, in a browser with the user's leave. */
export class DesktopNotifier implements Notifier {
  readonly #words: NoticeWords;
  readonly #onclick: (notice: Notice) => void;

  constructor(words: NoticeWords, onclick: (notice: Notice) => void) {
    this.#words = words;
    this.#onclick = onclick;
  }

  permission(): Permission {
    return 'Notification' in globalThis ? Notification.permission : 'unsupported';
  }

  async request(): Promise<Permission> {
    return 'Notification' in globalThis ? Notification.requestPermission() : 'unsupported';
  }

  show(notice: Notice): void {
    const notification = new Notification(this.#words.title(notice), {
      body: this.#words.body(notice),
      // A rule that notifies again takes the place of its last notice.
      tag: `raftdeck-rule-${notice.ruleId}`,
    });
    notification.onclick = () => {
      window.focus();
      notification.close();
      this.#onclick(notice);
    };
  }
}
