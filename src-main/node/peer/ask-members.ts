import type { Socket } from 'node:net';
import { CodedError } from '../../base/errors.ts';
import { PeerMembers } from '../../proto/raftdeck/internal.ts';
import { FrameReader } from './frames.ts';
import { dialPeer } from './sender.ts';
import { FRAME_SLACK_BYTES, type PeerIdentity } from './types.ts';

/** A cluster of so many members that their list does not fit here does not exist. */
const ANSWER_TIMEOUT_MS = 5_000;

/**
 * Asks a member of a cluster that this node is not part of yet who is in it. Rejects with
 * PeerProtocol or a socket error if nobody answers there.
 */
export async function askMembers(
  address: { host: string; port: number },
  versions: Pick<PeerIdentity, 'version' | 'apiVersion'>,
): Promise<PeerMembers> {
  const stranger: PeerIdentity = {
    clusterId: 0n,
    memberId: 0n,
    host: '',
    port: 0,
    ...versions,
  };
  const { socket } = await dialPeer(stranger, { id: 0n, ...address }, 'members');
  try {
    return PeerMembers.decode(await firstFrame(socket));
  } finally {
    socket.destroy();
  }
}

async function firstFrame(socket: Socket): Promise<Buffer> {
  const reader = new FrameReader(FRAME_SLACK_BYTES);
  socket.setTimeout(ANSWER_TIMEOUT_MS, () =>
    socket.destroy(new CodedError('PeerProtocol', 'no list of members in time')),
  );
  for await (const chunk of socket) {
    const payload = reader.push(chunk as Buffer)[0];
    if (payload !== undefined) return payload;
  }
  throw new CodedError('PeerProtocol', 'the connection ended without a list of members');
}
