import { isDeepStrictEqual } from 'node:util';
import type { Random } from '../../../src-main/base/prng.ts';
import { TxnRequest, WatchResponse } from '../../../src-main/proto/etcd/rpc.ts';
import {
  InternalRequest,
  LeaseRecord,
  MembershipChange,
  PeerMembers,
} from '../../../src-main/proto/raftdeck/internal.ts';
import {
  ConfChange,
  ConfState,
  PeerFrame,
  PeerHello,
  SnapshotChunk,
  SnapshotHeader,
  SnapshotReceipt,
} from '../../../src-main/proto/raftdeck/raft.ts';
import { oneOf, varint } from '../mutate.ts';
import { mutatedMessage } from '../protobuf.ts';
import { Finding, type Target } from '../target.ts';
import { sampleRequests } from './request-samples.ts';

/** A codec, whatever its message is. */
interface Codec {
  decode(bytes: Buffer): unknown;
  encode(message: never): { finish(): Uint8Array };
}

const bytes = Buffer.from('some bytes');
const entry = { index: 9, term: 2, type: 0 as const, data: bytes };
const confState = { voters: [1n, 2n], learners: [3n] };

/** Each with sound messages. */
const CODECS: [codec: Codec, samples: { finish(): Uint8Array }[]][] = [
  [
    PeerFrame,
    [
      PeerFrame.encode(
        PeerFrame.fromPartial({
          messages: [
            { type: 3, from: 1n, to: 2n, term: 2, index: 8, logTerm: 2, entries: [entry, entry] },
            { type: 7, from: 1n, to: 2n, snapshot: { index: 8, term: 2, confState } },
          ],
          calls: [{ id: 4 }],
          replies: [{ id: 5 }],
        }),
      ),
    ],
  ],
  [
    PeerHello,
    [PeerHello.encode(PeerHello.fromPartial({ protocol: 1, from: 1n, to: 2n, kind: 'raft' }))],
  ],
  [
    SnapshotHeader,
    [SnapshotHeader.encode(SnapshotHeader.fromPartial({ message: { index: 8, from: 1n } }))],
  ],
  [SnapshotChunk, [SnapshotChunk.encode({ data: bytes, last: true, crc: 0xffffffff })]],
  [SnapshotReceipt, [SnapshotReceipt.encode({ ok: false, error: 'refused' })]],
  [PeerMembers, [PeerMembers.encode(PeerMembers.fromPartial({ members: [{ ID: 4n }] }))]],
  [ConfState, [ConfState.encode(ConfState.fromPartial(confState))]],
  [ConfChange, [ConfChange.encode(ConfChange.fromPartial({ context: bytes }))]],
  [MembershipChange, [MembershipChange.encode(MembershipChange.fromPartial({ id: 5n }))]],
  [LeaseRecord, [LeaseRecord.encode({ id: -1n, ttl: 60, remainingTtl: 9 })]],
  [
    InternalRequest,
    sampleRequests()
      .filter(([path]) => path.endsWith('/Txn'))
      .map(([, [txn]]) => TxnRequest.decode(txn as Uint8Array))
      .map((value) => InternalRequest.encode({ id: 1n, request: { $case: 'txn', value } })),
  ],
  [
    WatchResponse,
    [WatchResponse.encode(WatchResponse.fromPartial({ watchId: -1, events: [{ type: 1 }] }))],
  ],
];

/** Decoding either fails or gives what can be encoded, and comes back the same. */
function check(codec: Codec, message: Buffer): void {
  let value: unknown;
  try {
    value = codec.decode(message);
  } catch (error) {
    // Each caller makes a refusal of its own of it; the API's are looked at with the requests.
    if (error instanceof Error) return;
    throw error;
  }
  const again = codec.decode(Buffer.from(codec.encode(value as never).finish()));
  if (!isDeepStrictEqual(again, value)) throw new Finding('what was decoded comes back changed');
}

function groups(random: Random): Buffer {
  const depth = 1 + random.below(oneOf(random, [120, 5_000]));
  const tagged = (wire: bigint) =>
    Buffer.concat(Array.from({ length: depth }, () => varint((100n << 3n) | wire)));
  const open: Buffer = tagged(3n);
  return random.below(2) === 0 ? open : Buffer.concat([open, tagged(4n)]);
}

/** The messages between members, in the log and in the state. The first byte names the codec. */
export function codecsTarget(): Target {
  const seeds = CODECS.flatMap(([, samples], kind) =>
    samples.map((sample) => Buffer.concat([Buffer.from([kind]), sample.finish()])),
  );
  return {
    seeds,
    generate(random) {
      const seed = oneOf(random, seeds);
      const kind = seed.subarray(0, 1);
      if (random.below(10) === 0) return Buffer.concat([kind, groups(random)]);
      let message: Buffer = seed.subarray(1);
      for (let i = random.below(4); i >= 0; i--) message = mutatedMessage(random, message);
      return Buffer.concat([kind, message]);
    },
    run(input) {
      const [codec] = CODECS[(input[0] ?? 0) % CODECS.length] as (typeof CODECS)[number];
      check(codec, input.subarray(1));
    },
  };
}
