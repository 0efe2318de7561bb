/**
 * Who belongs to a cluster and where each member is asked: for local clusters known, for remote
 * ones found out.
 */
import { idToHex } from '../base/bytes.ts';
import { errorMessage } from '../base/errors.ts';
import type { EtcdConnection } from '../remote/connection.ts';
import { parseEndpoint } from '../remote/endpoint.ts';
import type { ClusterSupervisor } from '../supervisor/cluster-supervisor.ts';
import type { NodeSnapshot } from '../supervisor/node-state.ts';

export interface MemberAddress {
  name: string;
  /** Hex; null where only an endpoint is known. */
  memberId: string | null;
  /** Where to ask, most promising first; never empty. */
  urls: string[];
  peerUrl: string | null;
  isLearner: boolean;
  process: NodeSnapshot | null;
}

export interface MemberSource {
  /** As known now. */
  current(): MemberAddress[];
  /** Finds out anew; keeps what is known where that fails. */
  refresh(): Promise<void>;
}

const OWNER_TIMEOUT_MS = 1_000;

export class LocalMembers implements MemberSource {
  readonly #supervisor: ClusterSupervisor;

  constructor(supervisor: ClusterSupervisor) {
    this.#supervisor = supervisor;
  }

  current(): MemberAddress[] {
    return this.#supervisor.snapshot().nodes.map((process) => ({
      name: process.name,
      memberId: null,
      urls: [process.clientUrl],
      peerUrl: process.peerUrl,
      isLearner: false,
      process,
    }));
  }

  refresh(): Promise<void> {
    return Promise.resolve();
  }
}

/**
 * The members that MemberList names. A member is asked at the endpoint that the user gave, where
 * one of those is its own, and else at the client URLs that it advertises, which may not be
 * reachable from here.
 */
export class RemoteMembers implements MemberSource {
  readonly #connection: EtcdConnection;
  readonly #endpoints: string[];
  /** Endpoint -> member id in hex. */
  readonly #owners = new Map<string, string>();
  #members: MemberAddress[];

  constructor(connection: EtcdConnection, endpoints: readonly string[]) {
    this.#connection = connection;
    this.#endpoints = endpoints.map((endpoint) => parseEndpoint(endpoint).url);
    this.#members = this.#endpoints.map((url) => ({
      name: parseEndpoint(url).address,
      memberId: null,
      urls: [url],
      peerUrl: null,
      isLearner: false,
      process: null,
    }));
  }

  current(): MemberAddress[] {
    return this.#members;
  }

  async refresh(): Promise<void> {
    const [list] = await Promise.all([
      this.#connection.memberList({ timeoutMs: 3_000 }).catch(errorMessage),
      ...this.#endpoints.map((url) => this.#findOwner(url)),
    ]);
    if (typeof list === 'string' || list.members.length === 0) return;
    this.#members = list.members.map((member) => {
      const memberId = idToHex(member.ID);
      const own = this.#endpoints.filter((url) => this.#owners.get(url) === memberId);
      const urls = [...new Set([...own, ...usable(member.clientURLs)])];
      return {
        // A member that has not started yet has no name.
        name: member.name === '' ? memberId : member.name,
        memberId,
        urls: urls.length > 0 ? urls : this.#endpoints.slice(0, 1),
        peerUrl: member.peerURLs[0] ?? null,
        isLearner: member.isLearner,
        process: null,
      };
    });
  }

  async #findOwner(url: string): Promise<void> {
    try {
      const { header } = await this.#connection.status(url, { timeoutMs: OWNER_TIMEOUT_MS });
      if (header !== undefined) this.#owners.set(url, idToHex(header.memberId));
    } catch {
      // What it was last is the best guess; the poll of the member reports the error.
    }
  }
}

function usable(urls: readonly string[]): string[] {
  return urls.flatMap((text) => {
    try {
      return [parseEndpoint(text).url];
    } catch {
      // etcd also knows unix:// sockets.
      return [];
    }
  });
}
