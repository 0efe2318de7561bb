import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Logger } from '../../../src-main/base/logger.ts';
import type { Random } from '../../../src-main/base/prng.ts';
import { freeBasePort } from '../../../src-main/base/testing/free-ports.ts';
import { askMembers } from '../../../src-main/node/peer/ask-members.ts';
import { FrameReader, frame } from '../../../src-main/node/peer/frames.ts';
import { hello } from '../../../src-main/node/peer/handshake.ts';
import { sendSnapshot } from '../../../src-main/node/peer/snapshot-stream.ts';
import { PeerTransport } from '../../../src-main/node/peer/transport.ts';
import type { PeerHandler, PeerIdentity } from '../../../src-main/node/peer/types.ts';
import {
  PeerFrame,
  PeerHello,
  SnapshotChunk,
  SnapshotHeader,
  SnapshotReceipt,
} from '../../../src-main/proto/raftdeck/raft.ts';
import { oneOf, randomBytes } from '../mutate.ts';
import { mutatedMessage } from '../protobuf.ts';
import { Finding, refusedBy, type Target } from '../target.ts';

const SELF: PeerIdentity = {
  clusterId: 77n,
  memberId: 1n,
  version: 'fuzz',
  apiVersion: '3.5.0',
  host: '',
  port: 0,
};
const OTHER: PeerIdentity = { ...SELF, memberId: 2n };
const MAX_HELLO_BYTES = 4096;
/** What only a defect says. */
const DEFECT = /Cannot read|is not a function|is not iterable|undefined|Assertion/;

/** Whom the input plays: one that dials, or one that is dialled and answers. */
const ROLES = ['dials', 'answers askMembers', 'answers sendSnapshot'] as const;

function frames(...payloads: Uint8Array[]): Buffer {
  return Buffer.concat(payloads.map(frame));
}

const entry = { index: 9, term: 2, data: Buffer.from('some bytes') };
const SAMPLES: readonly Buffer[] = [
  Buffer.concat([
    hello(OTHER, 1n, 'raft'),
    frames(
      PeerFrame.encode(
        PeerFrame.fromPartial({
          messages: [{ from: 2n, to: 1n, term: 2, index: 8, entries: [entry] }],
          calls: [{ id: 4 }],
          replies: [{ id: 5 }],
        }),
      ).finish(),
      PeerFrame.encode(PeerFrame.fromPartial({ group: 3 })).finish(),
    ),
  ]),
  Buffer.concat([
    hello(OTHER, 1n, 'snapshot'),
    frames(
      SnapshotHeader.encode(SnapshotHeader.fromPartial({ message: { from: 2n } })).finish(),
      SnapshotChunk.encode({ data: Buffer.from('rows'), last: false, crc: 0 }).finish(),
      SnapshotChunk.encode({ data: Buffer.alloc(0), last: true, crc: 9 }).finish(),
    ),
  ]),
  hello(OTHER, 0n, 'members'),
  hello(OTHER, 1n, 'raft', { reason: 'no', removed: true }),
  Buffer.concat([
    hello(OTHER, 1n, 'snapshot'),
    frames(SnapshotReceipt.encode({ ok: false, error: 'no room' }).finish()),
  ]),
];

/** Takes everything and answers nothing, but reads snapshots to their end. */
const HANDLER: PeerHandler = {
  isRemoved: () => false,
  members: () => ({ clusterId: SELF.clusterId, members: [] }),
  connected: () => {},
  removed: () => {},
  messages: () => {},
  calls: () => {},
  replies: () => {},
  unreachable: () => {},
  async snapshot(_from, _header, chunks) {
    for await (const chunk of chunks) {
      if (chunk.length > 8 * 1024 * 1024) throw new Finding('a chunk beyond the limit');
    }
  },
};

/** A hello with an address makes the transport dial it: none but ours may be tried. */
function leadsAstray(bytes: Buffer): boolean {
  try {
    const first = new FrameReader(MAX_HELLO_BYTES).pushFirst(bytes);
    return first !== undefined && PeerHello.decode(first).host !== '';
  } catch {
    return false;
  }
}

function reframed(random: Random, sample: Buffer): Buffer {
  const payloads = new FrameReader(2 ** 20).push(sample);
  const at = random.below(payloads.length);
  const changed = payloads.map((payload, i) =>
    i === at ? mutatedMessage(random, payload) : payload,
  );
  if (random.below(4) === 0) changed.splice(at, 0, randomBytes(random, 60));
  return frames(...changed);
}

async function drained(socket: Socket, bytes: Buffer): Promise<void> {
  socket.on('error', () => {}).resume();
  const closed = once(socket, 'close');
  socket.end(bytes);
  await closed;
}

/** The input is what the other side sends after it was dialled, whatever it is told. */
async function answering(bytes: Buffer, ask: (port: number) => Promise<unknown>): Promise<void> {
  const server = createServer((socket) => void drained(socket, bytes));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await ask((server.address() as AddressInfo).port);
  } catch (error) {
    refuse(error);
  } finally {
    server.close();
  }
}

function refuse(error: unknown): void {
  if (DEFECT.test(String(error))) throw error;
  // What the codec or the socket says of it: the caller tries another member, or again.
  if (error instanceof Error && error.name !== 'CodedError') return;
  refusedBy(['PeerProtocol', 'PeerRefused', 'PeerRemovedUs'], error);
}

async function* noChunks(): AsyncGenerator<Buffer> {
  yield Buffer.from('rows');
}

/** Both ends of the connections between members. The first byte says whom the input plays. */
export async function peersTarget(): Promise<Target> {
  const complaints: string[] = [];
  const note = (message: string, fields: object = {}) => {
    complaints.push(`${message} ${JSON.stringify(fields)}`);
  };
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const port = await freeBasePort(1);
  const listen = [{ host: '127.0.0.1', port }];
  const options = { self: SELF, listen, maxRequestBytes: 1024, logger };
  const transport = new PeerTransport(options, HANDLER);
  await transport.start();
  const address = (at: number) => ({ id: 2n, host: '127.0.0.1', port: at });
  const seeds = SAMPLES.flatMap((sample) =>
    ROLES.map((_, role) => Buffer.concat([Buffer.from([role]), sample])),
  );
  return {
    seeds,
    generate: (random) =>
      Buffer.concat([Buffer.from([random.below(3)]), reframed(random, oneOf(random, SAMPLES))]),
    async run(input) {
      complaints.length = 0;
      const role = ROLES[(input[0] ?? 0) % ROLES.length];
      const bytes = input.subarray(1);
      if (leadsAstray(bytes)) return;
      if (role === 'dials') {
        const socket = connect(port, '127.0.0.1');
        await drained(socket, bytes);
      } else if (role === 'answers askMembers') {
        await answering(bytes, (at) => askMembers(address(at), SELF));
      } else {
        const header = SnapshotHeader.fromPartial({});
        await answering(bytes, (at) => sendSnapshot(SELF, address(at), header, noChunks()));
      }
      const defect = complaints.find((complaint) => DEFECT.test(complaint));
      if (defect !== undefined) throw new Finding(defect);
    },
    close: () => transport.stop(),
  };
}
