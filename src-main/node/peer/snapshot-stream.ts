import { once } from 'node:events';
import type { Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import { CodedError, errorMessage } from '../../base/errors.ts';
import { SnapshotChunk, SnapshotHeader, SnapshotReceipt } from '../../proto/raftdeck/raft.ts';
import { FrameReader, frame } from './frames.ts';
import { dialPeer } from './sender.ts';
import {
  FRAME_SLACK_BYTES,
  type PeerAddress,
  type PeerHandler,
  type PeerIdentity,
  SNAPSHOT_IDLE_TIMEOUT_MS,
} from './types.ts';

/** Frames of a socket, one at a time, with back-pressure; ends with the socket. */
async function* frames(socket: Socket): AsyncGenerator<Buffer> {
  const reader = new FrameReader(FRAME_SLACK_BYTES);
  for await (const chunk of socket) yield* reader.push(chunk as Buffer);
}

function giveUpWhenIdle(socket: Socket): void {
  socket.setTimeout(SNAPSHOT_IDLE_TIMEOUT_MS, () =>
    socket.destroy(new CodedError('PeerProtocol', 'snapshot stream stalled')),
  );
}

/** Streams a snapshot to a member and waits until it says that it has it. Rejects on any failure. */
export async function sendSnapshot(
  self: PeerIdentity,
  address: PeerAddress,
  header: SnapshotHeader,
  chunks: AsyncIterable<Buffer>,
): Promise<void> {
  const { socket } = await dialPeer(self, address, 'snapshot');
  try {
    giveUpWhenIdle(socket);
    const write = async (payload: Uint8Array) => {
      if (!socket.write(frame(payload))) {
        await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
      }
      if (socket.destroyed) throw new CodedError('PeerProtocol', 'snapshot receiver went away');
    };
    await write(SnapshotHeader.encode(header).finish());
    let crc = 0;
    for await (const data of chunks) {
      crc = crc32(data, crc);
      await write(SnapshotChunk.encode({ data, last: false, crc: 0 }).finish());
    }
    await write(SnapshotChunk.encode({ data: Buffer.alloc(0), last: true, crc }).finish());
    for await (const payload of frames(socket)) {
      const receipt = SnapshotReceipt.decode(payload);
      if (!receipt.ok) throw new CodedError('PeerRefused', receipt.error);
      return;
    }
    throw new CodedError('PeerProtocol', 'snapshot receiver ended without a receipt');
  } finally {
    socket.destroy();
  }
}

/** The receiving side of `sendSnapshot`, after the handshake. */
export async function receiveSnapshot(
  socket: Socket,
  from: bigint,
  handler: PeerHandler,
): Promise<void> {
  giveUpWhenIdle(socket);
  const input = frames(socket);
  let receipt: SnapshotReceipt = { ok: true, error: '' };
  try {
    const first = await input.next();
    if (first.done) throw new CodedError('PeerProtocol', 'snapshot stream without header');
    await handler.snapshot(from, SnapshotHeader.decode(first.value), checkedChunks(input));
  } catch (error) {
    receipt = { ok: false, error: errorMessage(error) };
  }
  socket.write(frame(SnapshotReceipt.encode(receipt).finish()));
  // Also after a failure in mid-stream, when the sender still writes: closing tells it at once.
  socket.destroySoon();
}

async function* checkedChunks(input: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  let crc = 0;
  // Not for-await: leaving that early would close the socket before the receipt is written.
  for (;;) {
    const next = await input.next();
    if (next.done) throw new CodedError('PeerProtocol', 'snapshot stream was cut off');
    const chunk = SnapshotChunk.decode(next.value);
    if (chunk.last) {
      if (chunk.crc !== crc) throw new CodedError('PeerProtocol', 'snapshot checksum differs');
      return;
    }
    crc = crc32(chunk.data, crc);
    yield chunk.data;
  }
}
