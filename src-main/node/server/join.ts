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
 * before: the cluster knows it by its peer URLs. A member that answers may not have heard of that yet, so it is asked
 * for some seconds. Rejects with JoinFailed, saying what to do.
 */
export async function joinCluster(
  config: NodeConfig,
  { clock, network }: Pick<NodeIo, 'clock' | 'network'>,
  logger: Logger,
): Promise<JoinedCluster> {
  const deadlineMs = clock.nowMs() + JOIN_TIMEOUT_MS;
  for (;;) {
    const answer = await askAny(config, network, logger);
    const self = findSelf(config, answer);
    if (self !== undefined) {
      return { clusterId: answer.clusterId, memberId: self.ID, members: answer.members };
    }
    if (clock.nowMs() >= deadlineMs) break;
    await new Promise<void>((resolve) => clock.setTimer(RETRY_MS, resolve));
  }
  const urls = sorted(config.initialAdvertisePeerUrls);
  throw new CodedError('JoinFailed', `the cluster has no member with the peer URLs ${urls}`, {
    hint: `Add it first: etcdctl member add ${config.name} --peer-urls=${urls}`,
  });
}

function findSelf(config: NodeConfig, { members }: PeerMembers): Member | undefined {
  const urls = sorted(config.initialAdvertisePeerUrls);
  const self = members.find(({ peerURLs }) => sorted(peerURLs) === urls);
  if (self !== undefined && self.name !== '' && self.name !== config.name) {
    throw new CodedError('JoinFailed', `the peer URLs ${urls} belong to member ${self.name}`, {
      hint: 'Use its --name, or other peer URLs.',
    });
  }
  return self;
}

async function askAny(
  config: NodeConfig,
  network: NodeNetwork,
  logger: Logger,
): Promise<PeerMembers> {
  const versions = { version: NODE_VERSION, apiVersion: ETCD_API_VERSION };
  const own = new Set(config.initialAdvertisePeerUrls);
  const urls = config.initialCluster
    .filter(({ name }) => name !== config.name)
    .flatMap(({ peerUrls }) => peerUrls)
    .filter((url) => !own.has(url));
  for (const url of urls) {
    try {
      return await network.askMembers(parseUrl(url), versions);
    } catch (error) {
      logger.warn('no answer from a member of the cluster', { url, reason: errorMessage(error) });
    }
  }
  throw new CodedError(
    'JoinFailed',
    urls.length === 0
      ? '--initial-cluster names no other member of the cluster to join'
      : `no member of the cluster answered at ${urls.join()}`,
    { hint: 'Name the running members with --initial-cluster, and see that they run.' },
  );
}

function sorted(urls: readonly string[]): string {
  return [...urls].sort().join();
}
