import { PeerLink } from '../../support/link.ts';
import { PeerProxy } from './peer-proxy.ts';

/**
 * What stands before the peer port of each member. The proxies know nothing of what goes through them; the links
 * behind them, for members of ours alone, tell the senders apart.
 */
export class Network {
  readonly proxies: PeerProxy[] = [];
  readonly #links: PeerLink[] = [];
  readonly #tellsSenders: boolean;

  constructor(tellsSenders: boolean) {
    this.#tellsSenders = tellsSenders;
  }

  /** Answers the port that the others are to use. */
  async before(listenPort: number): Promise<number> {
    let port = listenPort;
    if (this.#tellsSenders) {
      const link = await PeerLink.to(listenPort);
      this.#links.push(link);
      port = link.port;
    }
    const proxy = await PeerProxy.start(port);
    this.proxies.push(proxy);
    return proxy.port;
  }

  /** Nothing that this member sends arrives before it is released. */
  mute(memberId: bigint): void {
    for (const link of this.#links) link.hold(memberId);
  }

  release(memberId: bigint): void {
    for (const link of this.#links) link.release(memberId);
  }

  mend(): void {
    for (const proxy of this.proxies) proxy.mend();
  }

  close(): void {
    for (const proxy of this.proxies) proxy.close();
    for (const link of this.#links) link.close();
  }
}
