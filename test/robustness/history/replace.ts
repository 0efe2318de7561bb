import {
  MemberAddRequest,
  MemberListRequest,
  MemberRemoveRequest,
} from '../../../src-main/proto/etcd/rpc.ts';
import type { TestClient } from '../../support/client.ts';
import { until } from '../../support/cluster.ts';
import { unary } from './calls.ts';
import type { Scene } from './faults.ts';

/** Members must have been connected for a while before a change is allowed. */
const CHANGE_MS = 180_000;

/** Member i is removed, loses its disk, is added anew and joins; each step is repeated until it is seen to be done. */
export async function replaceMember({ recorder, members }: Scene, i: number): Promise<void> {
  const other = members.client((i + 1) % members.count);
  const peerUrl = members.peerUrl(i);
  recorder.fault('replace', [`m${i}`]);
  await until(
    `m${i} is removed`,
    async () => {
      const known = await memberAt(other, peerUrl);
      if (known === 'unknown') return undefined;
      if (known === undefined) return true;
      const request = MemberRemoveRequest.fromPartial({ ID: known.ID });
      await unary(other.cluster.memberRemove.bind(other.cluster), request).catch(() => {});
      return undefined;
    },
    CHANGE_MS,
  );
  await members.node(i).kill('SIGKILL');
  members.forget(i);
  await until(
    `m${i} is added`,
    async () => {
      const known = await memberAt(other, peerUrl);
      if (known === 'unknown') return undefined;
      if (known !== undefined) return true;
      const request = MemberAddRequest.fromPartial({ peerURLs: [peerUrl] });
      await unary(other.cluster.memberAdd.bind(other.cluster), request).catch(() => {});
      return undefined;
    },
    CHANGE_MS,
  );
  members.startOne(i);
}

async function memberAt({ cluster }: TestClient, peerUrl: string) {
  try {
    const { members } = await unary(cluster.memberList.bind(cluster), MemberListRequest.create({}));
    return members.find(({ peerURLs }) => peerURLs.includes(peerUrl));
  } catch {
    return 'unknown' as const;
  }
}
