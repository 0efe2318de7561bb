import type { Socket } from 'node:net';
import { idToHex } from '../../base/bytes.ts';
import { CodedError } from '../../base/errors.ts';
import { PeerHello } from '../../proto/raftdeck/raft.ts';
import { FrameReader, frame } from './frames.ts';
import { HANDSHAKE_TIMEOUT_MS, PEER_PROTOCOL, type PeerIdentity } from './types.ts';

export type ConnectionKind = 'raft' | 'snapshot' | 'members';

export interface Refusal {
  reason: string;
  /** The other side has been removed from the cluster. */
  removed: boolean;
}

const MAX_HELLO_BYTES = 4096;

export function hello(
  self: PeerIdentity,
  to: bigint,
  kind: string,
  refusal: Refusal = { reason: '', removed: false },
): Buffer {
  const message: PeerHello = {
    protocol: PEER_PROTOCOL,
    clusterId: self.clusterId,
    from: self.memberId,
    to,
    kind,
    version: self.version,
    refuse: refusal.reason,
    removed: refusal.removed,
    apiVersion: self.apiVersion,
    host: self.host,
    port: self.port,
  };
  return frame(PeerHello.encode(message).finish());
}

/** What the receiver of a hello knows of the one who sent it. */
export interface Acquaintance {
  /** It was a member and never will be again. */
  isRemoved(id: bigint): boolean;
}

/**
 * Why a hello from the other side cannot be accepted; undefined if it can. Whoever has the cluster's id and was not
 * removed is heard, member or not: one that lags does not know who joined since, and may need just that one to catch
 * up (thesis 4.1: a server takes requests from those that its configuration does not name).
 */
export function refusalOf(
  self: PeerIdentity,
  other: PeerHello,
  known: Acquaintance,
): Refusal | undefined {
  const refuse = (reason: string, removed = false): Refusal => ({ reason, removed });
  if (other.protocol !== PEER_PROTOCOL) {
    return refuse(`peer protocol ${other.protocol} is not ${PEER_PROTOCOL}`);
  }
  // It does not know us yet: it is about to learn who is here.
  if (other.kind === 'members') return undefined;
  if (other.clusterId !== self.clusterId) {
    return refuse(`cluster id ${idToHex(other.clusterId)} is not ${idToHex(self.clusterId)}`);
  }
  if (other.to !== self.memberId) return refuse(`this is member ${idToHex(self.memberId)}`);
  if (known.isRemoved(other.from)) {
    return refuse(`${idToHex(other.from)} was removed from the cluster`, true);
  }
  if (other.kind === 'raft' || other.kind === 'snapshot') return undefined;
  return refuse(`unknown kind ${other.kind}`);
}

/**
 * Reads the first frame of a connection. Bytes that came after it are put back into the socket.
 * Rejects with PeerProtocol on time-out, an early end or bytes that are no hello.
 */
export function readHello(socket: Socket): Promise<PeerHello> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const timer = setTimeout(() => fail('no hello in time'), HANDSHAKE_TIMEOUT_MS);
    const onEnd = () => fail('closed before its hello');
    const done = () => {
      clearTimeout(timer);
      socket.off('data', onData).off('close', onEnd).off('error', onEnd);
      socket.pause();
    };
    const fail = (why: string) => {
      done();
      reject(new CodedError('PeerProtocol', `peer connection: ${why}`));
    };
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      try {
        const first = new FrameReader(MAX_HELLO_BYTES).pushFirst(bytes);
        if (first === undefined) return;
        const message = PeerHello.decode(first);
        done();
        const rest = bytes.subarray(first.length + 4);
        if (rest.length > 0) socket.unshift(rest);
        resolve(message);
      } catch {
        fail('not a hello');
      }
    };
    socket.on('data', onData).on('close', onEnd).on('error', onEnd);
    socket.resume();
  });
}
