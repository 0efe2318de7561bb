import { errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Message, PeerCall, PeerReply } from '../../proto/raftdeck/raft.ts';
import { ETCD_API_VERSION } from '../api/version.ts';
import type { InternalRequestBody, StateMachine } from '../apply/types.ts';
import { type NodeConfig, parseUrl } from '../config.ts';
import type { PeerAddress, PeerHandler, PeerIdentity, PeerNetwork } from '../peer/types.ts';
import { NODE_VERSION } from '../version.ts';
import type { WalMetadata } from '../wal/types.ts';
import { GROUP } from './bootstrap.ts';
import { versionToPropose } from './cluster-version.ts';
import { markRemoved } from './data-dir.ts';
import type { RaftGroup } from './group.ts';
import type { NodeIo } from './io.ts';
import { PeerCalls } from './peer-calls.ts';

export interface PeersDeps extends Pick<NodeIo, 'clock' | 'disk' | 'network'> {
  config: NodeConfig;
  identity: WalMetadata;
  state: StateMachine;
  logger: Logger;
  group(): RaftGroup;
  /** Another member's messages are about to be handled. */
  received(from: bigint, messages: Message[]): void;
  /** Who is a member, or votes, is not as before. */
  membersChanged(): void;
  /** Another member's question. */
  answer(call: PeerCall): Promise<PeerReply>;
  propose(request: InternalRequestBody): Promise<unknown>;
  onFatal(error: unknown): void;
  onRemoved(): void;
}

/** The other members: connections to them, questions and answers, and what follows from who they are. */
export class Peers {
  readonly transport: PeerNetwork;
  readonly calls: PeerCalls;
  readonly #deps: PeersDeps;
  #membersSeen = '';
  #isLearner = false;
  #removed = false;

  constructor(deps: PeersDeps) {
    const { config, identity, clock, logger } = deps;
    this.#deps = deps;
    const advertised = () => parseUrl(this.#ownPeerUrl());
    const self: PeerIdentity = {
      clusterId: identity.clusterId,
      memberId: identity.memberId,
      version: NODE_VERSION,
      apiVersion: ETCD_API_VERSION,
      get host() {
        return advertised().host;
      },
      get port() {
        return advertised().port;
      },
    };
    const listen = config.listenPeerUrls.map(parseUrl);
    this.transport = deps.network.open(
      { self, listen, maxRequestBytes: config.maxRequestBytes, logger },
      this.#handler(),
    );
    this.calls = new PeerCalls(clock, (to, call) => this.transport.call(to, call));
  }

  /** This member does not vote. */
  get isLearner(): boolean {
    return this.#isLearner;
  }

  /** Rejects with PortInUse. */
  async start(): Promise<void> {
    await this.transport.start();
    this.membershipMayHaveChanged();
  }

  send(messages: Message[]): void {
    this.transport.send(GROUP, messages);
  }

  async stop(): Promise<void> {
    this.calls.stop();
    await this.transport.stop();
  }

  /** Keeps the connections equal to the membership, and ends this member if it is no part of it any more. */
  membershipMayHaveChanged(): void {
    const { state, identity } = this.#deps;
    if (state.isRemoved(identity.memberId)) this.#leave();
    const members = state.members();
    const seen = members
      .map(({ ID, isLearner, peerURLs }) => `${ID}${isLearner ? '~' : '='}${peerURLs[0]}`)
      .join();
    if (seen === this.#membersSeen) return;
    this.#membersSeen = seen;
    this.#deps.membersChanged();
    this.#isLearner = members.some(({ ID, isLearner }) => ID === identity.memberId && isLearner);
    const peers: PeerAddress[] = members
      .filter(({ ID, peerURLs }) => ID !== identity.memberId && peerURLs.length > 0)
      .map(({ ID, peerURLs }) => ({ id: ID, ...parseUrl(peerURLs[0] as string) }));
    this.transport.setPeers(peers);
  }

  /** The leader's duty, whenever it comes to lead or learns of a version. */
  decideClusterVersion(): void {
    const { group, state, identity, config, propose, logger } = this.#deps;
    if (!group().raft.isLeader) return;
    const version = versionToPropose({
      members: state.members(),
      agreed: state.clusterVersion(),
      strict: config.strictCapability,
      versionOf: (id) =>
        id === identity.memberId ? ETCD_API_VERSION : this.transport.apiVersion(id),
    });
    if (version === undefined) return;
    propose({ $case: 'clusterVersion', value: { version } }).then(
      () => logger.info('cluster version', { version }),
      (error: unknown) =>
        // The next leader, or the next connection, does it.
        logger.debug('cluster version not set', { reason: errorMessage(error) }),
    );
  }

  /** As the cluster knows it, which may be newer than the flags. */
  #ownPeerUrl(): string {
    const { state, identity, config } = this.#deps;
    const own = state.members().find(({ ID }) => ID === identity.memberId);
    return own?.peerURLs[0] ?? (config.initialAdvertisePeerUrls[0] as string);
  }

  #handler(): PeerHandler {
    const { state, identity, group, received } = this.#deps;
    return {
      isRemoved: (id) => state.isRemoved(id),
      members: () => ({ clusterId: identity.clusterId, members: state.members() }),
      connected: () => this.decideClusterVersion(),
      removed: () => this.#leave(),
      messages: (index, from, messages) => {
        if (index !== GROUP) return;
        received(from, messages);
        group().receive(messages);
      },
      calls: (from, calls) => {
        for (const call of calls) void this.#answer(from, call);
      },
      replies: (_from, replies) => this.calls.replies(replies),
      unreachable: (id) => group().driver.unreachable(id),
      snapshot: (from, header, chunks) => group().snapshots.receive(from, header, chunks),
    };
  }

  async #answer(from: bigint, call: PeerCall): Promise<void> {
    this.transport.reply(from, await this.#deps.answer(call));
  }

  /** What waits is answered and the others learn of it before this member goes (etcd waits as long). */
  #leave(): void {
    if (this.#removed) return;
    this.#removed = true;
    const { logger, clock, disk, config, onRemoved, onFatal } = this.#deps;
    logger.warn('this member was removed from the cluster');
    const marked = markRemoved(disk.files, config.dataDir);
    // Its failure counts when the time is up, and must not end the process before.
    marked.catch(() => {});
    clock.setTimer(config.electionTimeoutMs, () => {
      marked.then(onRemoved, onFatal);
    });
  }
}
