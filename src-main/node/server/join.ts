import { CodedError, errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Member } from '../../proto/etcd/rpc.ts';
import type { PeerMembers } from '../../proto/raftdeck/internal.ts';
import { ETCD_API_VERSION } from '../api/version.ts';
import { type NodeConfig, parseUrl } from '../config.ts';
import { NODE_VERSION } from '../version.ts';
import type { NodeIo, NodeNetwork } from './io.ts';

export interface JoinedCluster {
  clusterId: bigint;
  memberId: bigint;
  members: Member[];
}

/** How long to ask for, until a member that was just added is known to whoever answers. */
const JOIN_TIMEOUT_MS = 5_000;
const RETRY_MS = 200;

/**
 * Asks the members named by --initial-cluster who is in the cluster that this node is to join. It must have been added
 * before: the cluster knows it by its peer URLs. Who answers may not have heard of that yet, so all are asked for some
 * seconds; one that lags for good, or was removed without hearing of it, must not speak for the others. Rejects with
 * JoinFailed, saying what to do.
 */
export async function joinCluster(
  config: NodeConfig,
  { clock, network }: Pick<NodeIo, 'clock' | 'network'>,
  logger: Logger,
): Promise<JoinedCluster> {
  const deadlineMs = clock.nowMs() + JOIN_TIMEOUT_MS;
  for (;;) {
    const joined = await askAll(config, network, logger);
    if (joined !== undefined) return joined;
    if (clock.nowMs() >= deadlineMs) break;
    await new Promise<void>((resolve) => clock.setTimer(RETRY_MS, resolve));
  }
  const urls = sorted(config.initialAdvertisePeerUrls);
  throw new CodedError('JoinFailed', `the cluster has no member with the peer URLs ${urls}`, {
    hint: `Add it first: etcdctl member add ${config.name} --peer-urls=${urls}`,
  });
}

/** One after the other, until one knows this node; undefined if some answer and none of them does. */
async function askAll(
  config: NodeConfig,
  network: NodeNetwork,
  logger: Logger,
): Promise<JoinedCluster | undefined> {
  const versions = { version: NODE_VERSION, apiVersion: ETCD_API_VERSION };
  const urls = urlsOfOthers(config);
  let answers = 0;
  let conflict: CodedError | undefined;
  for (const url of urls) {
    let answer: PeerMembers;
    try {
      answer = await network.askMembers(parseUrl(url), versions);
    } catch (error) {
      logger.warn('no answer from a member of the cluster', { url, reason: errorMessage(error) });
      continue;
    }
    answers++;
    const { clusterId, members } = answer;
    const self = findSelf(config, members);
    conflict ??= conflictOf(config, self);
    if (self !== undefined && conflictOf(config, self) === undefined) {
      return { clusterId, memberId: self.ID, members };
    }
  }
  if (conflict !== undefined) throw conflict;
  if (answers > 0) return undefined;
  throw new CodedError(
    'JoinFailed',
    urls.length === 0
      ? '--initial-cluster names no other member of the cluster to join'
      : `no member of the cluster answered at ${urls.join()}`,
    { hint: 'Name the running members with --initial-cluster, and see that they run.' },
  );
}

function urlsOfOthers(config: NodeConfig): string[] {
  const own = new Set(config.initialAdvertisePeerUrls);
  return config.initialCluster
    .filter(({ name }) => name !== config.name)
    .flatMap(({ peerUrls }) => peerUrls)
    .filter((url) => !own.has(url));
}

function findSelf(config: NodeConfig, members: readonly Member[]): Member | undefined {
  const urls = sorted(config.initialAdvertisePeerUrls);
  return members.find(({ peerURLs }) => sorted(peerURLs) === urls);
}

/** The URLs may be those of a member of another name. */
function conflictOf(config: NodeConfig, self: Member | undefined): CodedError | undefined {
  if (self === undefined || self.name === '' || self.name === config.name) return undefined;
  const urls = sorted(config.initialAdvertisePeerUrls);
  return new CodedError('JoinFailed', `the peer URLs ${urls} belong to member ${self.name}`, {
    hint: 'Use its --name, or other peer URLs.',
  });
}

function sorted(urls: readonly string[]): string {
  return [...urls].sort().join();
}
