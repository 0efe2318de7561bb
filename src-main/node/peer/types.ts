import type { Logger } from '../../base/logger.ts';
import type { PeerMembers } from '../../proto/raftdeck/internal.ts';
import type { Message, PeerCall, PeerReply, SnapshotHeader } from '../../proto/raftdeck/raft.ts';

export const PEER_PROTOCOL = 1;

/** Bytes one connection may have queued before messages to it are dropped: Raft retries what is lost. */
export const MAX_QUEUED_BYTES = 64 * 1024 * 1024;
/** Room for one append batch and one entry over the batch limit, encoded. */
export const FRAME_SLACK_BYTES = 8 * 1024 * 1024;
/** Members that this one has not heard of yet and still answers. */
export const MAX_STRANGERS = 16;
export const HANDSHAKE_TIMEOUT_MS = 5_000;
/** A snapshot stream that makes no progress for this long is given up. */
export const SNAPSHOT_IDLE_TIMEOUT_MS = 30_000;

export interface PeerIdentity {
  clusterId: bigint;
  memberId: bigint;
  /** Ours, for the log. */
  version: string;
  /** The etcd release whose API is spoken: what the cluster's version is decided from. */
  apiVersion: string;
  /** Where others reach this member. Empty and zero: nowhere. */
  readonly host: string;
  readonly port: number;
}

export interface PeerAddress {
  id: bigint;
  host: string;
  port: number;
}

export interface PeerNetworkOptions {
  self: PeerIdentity;
  listen: { host: string; port: number }[];
  /** Largest request a client may send: frames are sized by it. */
  maxRequestBytes: number;
  logger: Logger;
}

/** The connections between this node and the other members. Delivery is at most once. */
export interface PeerNetwork {
  /** Listens. Rejects with PortInUse if an address is taken. */
  start(): Promise<void>;
  /** Makes the set of members to talk to equal to `peers`. */
  setPeers(peers: PeerAddress[]): void;
  send(group: number, messages: Message[]): void;
  call(to: bigint, call: PeerCall): void;
  reply(to: bigint, reply: PeerReply): void;
  /** Rejects if that member did not get the whole stream, or did not take it. */
  sendSnapshot(to: bigint, header: SnapshotHeader, chunks: AsyncIterable<Buffer>): Promise<void>;
  isConnected(id: bigint): boolean;
  /** Connected both ways: what is asked there arrives, and so does the answer. */
  canAsk(id: bigint): boolean;
  /** Milliseconds that the connection to that member has stood; undefined without one. */
  connectedForMs(id: bigint): number | undefined;
  /** What that member said when it was last connected; undefined if it never was. */
  apiVersion(id: bigint): string | undefined;
  stop(): Promise<void>;
}

/** What the transport hands to the driver. */
export interface PeerHandler {
  /** It was a member and never will be again. */
  isRemoved(id: bigint): boolean;
  /** Who is in the cluster, for one that wants to join. */
  members(): PeerMembers;
  /** A connection to or from that member stands, and its version is known. */
  connected(id: bigint): void;
  /** A member says that this one has been removed. */
  removed(): void;
  messages(group: number, from: bigint, messages: Message[]): void;
  calls(from: bigint, calls: PeerCall[]): void;
  replies(from: bigint, replies: PeerReply[]): void;
  unreachable(id: bigint): void;
  /** Consumes the whole stream before it resolves; rejects if it cannot be used. */
  snapshot(from: bigint, header: SnapshotHeader, chunks: AsyncIterable<Buffer>): Promise<void>;
}
