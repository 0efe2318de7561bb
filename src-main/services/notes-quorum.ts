/**
 * The experiment that needs a member without a majority: it runs on a cluster of three bundled nodes
 * that it starts itself and deletes afterwards, so that nothing of the user's is disturbed.
 */
import { randomInt } from 'node:crypto';
import type { Disposable } from '../base/disposable.ts';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { TrialItem } from '../contract/notes-trial.ts';
import { KVService, PutRequest, RangeRequest, type RangeResponse } from '../proto/etcd/rpc.ts';
import { EtcdConnection } from '../remote/connection.ts';
import type { Cluster } from './cluster.ts';
import type { ClustersService } from './clusters.ts';
import { failure } from './errors.ts';
import type { Trial } from './notes-trial.ts';

const NODES = 3;
const START_MS = 30_000;
/** Many times an election time-out of a local cluster: a member that has not answered will not. */
const READ_TIMEOUT_MS = 2_000;
const SETTLE_MS = 15_000;
/** The cut ends by itself, should nobody heal it. */
const CUT_MS = 60_000;
const VALUE_KEY = 'seat';
/** Below those that the system gives to whoever asks for any, and away from the app's own. */
const FIRST_PORT = 26_000;
const LAST_PORT = 32_000;
/** Ports by chance, so that two apps that start one at a time seldom meet. */
const MAX_PORT_ATTEMPTS = 8;

interface Member {
  name: string;
  url: string;
}

/** A throw-away cluster with a leader, and the way to be rid of it. */
export interface ThrowAway extends Disposable {
  cluster: Cluster;
  remove(): Promise<void>;
}

/** Throws Unsupported where new clusters are no nodes of ours: they cannot be cut off. */
export async function startThrowAway(clusters: ClustersService, name: string): Promise<ThrowAway> {
  const { id } = await createSomewhere(clusters, name);
  const cluster = clusters.get(id);
  const following = cluster.monitor.follow(() => {});
  const throwAway: ThrowAway = {
    cluster,
    remove: async () => {
      following.dispose();
      await clusters.remove(id, true);
    },
    dispose: () => following.dispose(),
  };
  try {
    if (cluster.supervisor?.definition.engine.kind !== 'bundled') {
      throw failure(
        'Unsupported',
        'this experiment cuts a member off, which only the bundled nodes can be told',
        'start the app without an engine of its own choosing',
      );
    }
    await clusters.start(id);
    return throwAway;
  } catch (error) {
    await throwAway.remove();
    throw error;
  }
}

async function createSomewhere(clusters: ClustersService, name: string): Promise<{ id: string }> {
  for (let attempt = 1; ; attempt++) {
    const basePort = randomInt(FIRST_PORT, LAST_PORT);
    try {
      return await clusters.createLocal({ name, nodes: NODES, basePort, start: false });
    } catch (error) {
      const isTaken = error instanceof CodedError && error.code === 'PortInUse';
      if (!isTaken || attempt === MAX_PORT_ATTEMPTS) throw error;
    }
  }
}

export async function quorumReads(trial: Trial, { cluster }: ThrowAway): Promise<void> {
  const { members, leader } = await untilReady(trial, cluster);
  const cutOff = members.find(({ name }) => name !== leader);
  const majority = members.find(({ name }) => name === leader);
  if (cutOff === undefined || majority === undefined) {
    throw failure('FailedPrecondition', 'there is no follower to cut off');
  }
  const peers = members.filter(({ name }) => name !== cutOff.name).map(({ name }) => name);
  trial.say('clusterReady', { leader: majority.name, follower: cutOff.name });
  const at = new MemberCalls(trial);
  try {
    await at.put(majority, 'v1');
    const before = await at.read(cutOff, false);
    trial.say('isolates', { node: cutOff.name });
    await setCut(trial, cluster, cutOff, peers);
    // A member that has heard nothing for an election time-out knows that it has no leader.
    await trial.until(() => at.isLeaderless(cutOff), SETTLE_MS);
    trial.say('isolated', { node: cutOff.name });
    trial.say('majorityWrites');
    const written = await at.put(majority, 'v2');
    const linearizable = await at.tryRead(cutOff, false);
    const serializable = await at.tryRead(cutOff, true);
    const there = await at.read(majority, false);
    trial.say('heals');
    await setCut(trial, cluster, cutOff, []);
    await trial.until(async () => !(await at.isLeaderless(cutOff)), SETTLE_MS);
    const healed = (await at.tryRead(cutOff, false)).value ?? '';

    const error = linearizable.error ?? '';
    trial.check('linearizableFailed', linearizable.value === null && error !== '', { error });
    const stale = serializable.value ?? '';
    trial.check('serializableAnswered', serializable.value !== null, { value: stale });
    trial.check('serializableWasStale', before === 'v1' && stale === 'v1', { value: stale });
    trial.check('majorityWent', written > 0 && there === 'v2', { value: there });
    trial.check('healedReadIsNew', healed === 'v2', { value: healed });
  } finally {
    at.dispose();
  }
}

async function untilReady(
  trial: Trial,
  cluster: Cluster,
): Promise<{ members: Member[]; leader: string }> {
  const ready = () => {
    const { nodes, leader } = cluster.monitor.overview();
    const lost = nodes.find((node) => node.process?.state === 'crashed');
    if (lost !== undefined) {
      throw failure('Unavailable', `${lost.name} ${lost.process?.lastExit ?? 'has ended'}`);
    }
    const known = nodes.filter((node) => node.memberId !== null && node.version !== null);
    return known.length === NODES && leader !== null;
  };
  await trial.until(ready, START_MS);
  const { nodes, leader } = cluster.monitor.overview();
  const members = nodes.map(({ name }) => ({ name, url: cluster.monitor.urlOf(name) ?? '' }));
  return { members, leader: leader ?? '' };
}

/** Nothing goes between the member and these others any more; its clients still reach it. */
async function setCut(
  trial: Trial,
  cluster: Cluster,
  { name }: Member,
  peers: readonly string[],
): Promise<void> {
  const cut = { cutOutgoing: true, cutIncoming: true, delayMs: 0, lossPerMille: 0 };
  const request = peers.length === 0 ? `heal ${name}` : `cut ${name} ↔ ${peers.join(', ')}`;
  await trial.call(
    { who: { node: name }, method: 'FaultLab.Set', request },
    () =>
      cluster.raft.setFaults({
        clusterId: cluster.id,
        durationMs: CUT_MS,
        nodes: [
          {
            node: name,
            links: peers.map((peer) => ({ peer, ...cut })),
            disk: { syncDelayMs: 0, error: 'none' },
          },
        ],
      }),
    () => 'OK',
  );
}

/** Calls to one member and no other, which answers from what it has. */
class MemberCalls implements Disposable {
  readonly #trial: Trial;
  readonly #connections = new Map<string, EtcdConnection>();

  constructor(trial: Trial) {
    this.#trial = trial;
  }

  async put({ name, url }: Member, value: string): Promise<number> {
    const key = this.#trial.key(VALUE_KEY);
    const request = { ...PutRequest.create(), key, value: Buffer.from(value) };
    const { header } = await this.#trial.call(
      { who: { node: name }, method: 'Put', request: `key=${VALUE_KEY} value="${value}"` },
      () => this.#channel(url).unary(KVService.put, request, this.#limits()),
      (response) => `revision=${response.header?.revision ?? 0}`,
    );
    return header?.revision ?? 0;
  }

  /** The value; throws what the member answers. */
  async read({ name, url }: Member, serializable: boolean): Promise<string> {
    const request = { ...RangeRequest.create(), key: this.#trial.key(VALUE_KEY), serializable };
    const words = `key=${VALUE_KEY} serializable=${serializable}`;
    const response: RangeResponse = await this.#trial.call(
      { who: { node: name }, method: 'Range', request: words },
      () => this.#channel(url).unary(KVService.range, request, this.#limits()),
      (answer) => this.#trial.describeRange(answer),
    );
    return response.kvs[0]?.value.toString() ?? '';
  }

  async tryRead(
    member: Member,
    serializable: boolean,
  ): Promise<{ value: string | null; error: string | null }> {
    try {
      return { value: await this.read(member, serializable), error: null };
    } catch (error) {
      this.#trial.signal.throwIfAborted();
      return { value: null, error: errorMessage(error) };
    }
  }

  async isLeaderless({ url }: Member): Promise<boolean> {
    const status = await this.#trial.etcd.status(url, { timeoutMs: READ_TIMEOUT_MS });
    return status.leader === 0n;
  }

  dispose(): void {
    for (const connection of this.#connections.values()) connection.dispose();
  }

  /** No leader is demanded: a member that has none would refuse even what it can answer. */
  #limits() {
    return { timeoutMs: READ_TIMEOUT_MS, signal: this.#trial.signal, requireLeader: false };
  }

  #channel(url: string) {
    const connection = this.#connections.get(url) ?? new EtcdConnection([url]);
    this.#connections.set(url, connection);
    const [channel] = connection.candidates();
    if (channel === undefined) throw failure('Unavailable', 'no endpoint to call');
    return channel;
  }
}

/** What `quorumReads` begins with, before there is a cluster to speak of. */
export function beginThrowAway(push: (item: TrialItem) => void, name: string): void {
  push({ kind: 'say', say: 'clusterStarts', params: { name, nodes: NODES }, atMs: 0 });
}
