import { CodedError, errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Member } from '../../proto/etcd/rpc.ts';
import type { PeerMembers } from '../../proto/raftdeck/internal.ts';
import { ETCD_API_VERSION } from '../api/version.ts';
import { type NodeConfig, parseUrl } from '../config.ts';
import { askMembers } from '../peer/ask-members.ts';
import { NODE_VERSION } from '../version.ts';

export interface JoinedCluster {
  clusterId: bigint;
  memberId: bigint;
  members: Member[];
}

/**
 * Asks the members named by --initial-cluster who is in the cluster that this node is to join. It must have been added
 * before: the cluster knows it by its peer URLs. Rejects with JoinFailed, saying what to do.
 */
export async function joinCluster(config: NodeConfig, logger: Logger): Promise<JoinedCluster> {
  const answer = await askAny(config, logger);
  const urls = sorted(config.initialAdvertisePeerUrls);
  const self = answer.members.find(({ peerURLs }) => sorted(peerURLs) === urls);
  if (self === undefined) {
    throw new CodedError('JoinFailed', `the cluster has no member with the peer URLs ${urls}`, {
      hint: `Add it first: etcdctl member add ${config.name} --peer-urls=${urls}`,
    });
  }
  if (self.name !== '' && self.name !== config.name) {
    throw new CodedError('JoinFailed', `the peer URLs ${urls} belong to member ${self.name}`, {
      hint: 'Use its --name, or other peer URLs.',
    });
  }
  return { clusterId: answer.clusterId, memberId: self.ID, members: answer.members };
}

async function askAny(config: NodeConfig, logger: Logger): Promise<PeerMembers> {
  const versions = { version: NODE_VERSION, apiVersion: ETCD_API_VERSION };
  const own = new Set(config.initialAdvertisePeerUrls);
  const urls = config.initialCluster
    .filter(({ name }) => name !== config.name)
    .flatMap(({ peerUrls }) => peerUrls)
    .filter((url) => !own.has(url));
  for (const url of urls) {
    try {
      return await askMembers(parseUrl(url), versions);
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
