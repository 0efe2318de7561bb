import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../../../src-main/base/errors.ts';
import type { Random } from '../../../src-main/base/prng.ts';
import { until } from '../../support/cluster.ts';
import type { Engine, Members } from '../../support/members.ts';
import { fillQuota } from './fill.ts';
import type { Network } from './network.ts';
import type { PeerProxy } from './peer-proxy.ts';
import type { Recorder } from './recorder.ts';
import { replaceMember } from './replace.ts';

/** How long a member that is mended, or the whole cluster, may take until it answers, on a machine that is busy. */
const HEAL_MS = 120_000;
/** A member whose disk is full finds out with its next write. */
const NOTICE_MS = 3_000;
const MAX_ROOM_BYTES = 16_384;
const MAX_DELAY_MS = 150;
/** One piece of so many is lost. */
const LOSS = 50;
/** Of what a member said before it did not answer. */
const SAID_CHARACTERS = 2_000;

export interface Scene {
  recorder: Recorder;
  members: Members;
  network: Network;
  engine: Engine;
  random: Random;
}

/** Harm to member i; it lasts as long as the promise, and is mended by then. */
type Harm = (i: number) => Promise<void>;

/** All kinds, in an order in which a short run meets the most different ones. */
function harmsOf(scene: Scene): Harm[] {
  const { recorder, members, network, engine, random } = scene;
  const { proxies } = network;
  const count = proxies.length;
  const all = Array.from({ length: count }, (_, i) => i);
  const name = (i: number) => `m${i}`;
  const pause = () => sleep(500 + random.below(1_500));
  const restart = async (hit: number[], kind: string): Promise<void> => {
    recorder.fault(kind, hit.map(name));
    await Promise.all(hit.map((i) => members.node(i).kill('SIGKILL')));
    await sleep(random.below(1_500));
    for (const i of hit) members.startOne(i);
  };
  const forAWhile = async (kind: string, i: number, begin: () => void, end: () => void) => {
    recorder.fault(kind, [name(i)]);
    begin();
    await pause();
    end();
  };
  const everywhere = async (kind: string, begin: (proxy: PeerProxy) => void) => {
    recorder.fault(kind, all.map(name));
    for (const proxy of proxies) begin(proxy);
    await pause();
  };
  const signal = (i: number, which: NodeJS.Signals) => members.node(i).process.kill(which);
  const silently = async (kind: string, i: number, isDeaf: boolean) => {
    const { header } = await members.client(i).status();
    const id = header?.memberId ?? 0n;
    const begin = () => {
      network.mute(id);
      if (isDeaf) proxies[i]?.stall();
    };
    await forAWhile(kind, i, begin, () => network.release(id));
  };
  const ours: Harm[] = [
    (i) => silently('mute: nothing from it', i, false),
    (i) => silently('isolate: nothing from it or to it', i, true),
    (i) => fillDisk(scene, i),
  ];
  const [mute, isolate, full] = ours as [Harm, Harm, Harm];
  const harms: Harm[] = [
    (i) => restart([i], 'kill'),
    (i) =>
      forAWhile(
        'stop',
        i,
        () => signal(i, 'SIGSTOP'),
        () => signal(i, 'SIGCONT'),
      ),
    (i) =>
      forAWhile(
        'deaf: nothing to it',
        i,
        () => proxies[i]?.cut(),
        () => {},
      ),
    full,
    (i) => restart([i, (i + 1) % count], 'kill two'),
    isolate,
    (i) => replaceMember(scene, i),
    (i) =>
      forAWhile(
        'stall: late to it',
        i,
        () => proxies[i]?.stall(),
        () => {},
      ),
    () => restart(all, 'kill all'),
    () => everywhere('slow: all late', (proxy) => proxy.slow(() => random.below(MAX_DELAY_MS))),
    () => everywhere('apart: nothing to anybody', (proxy) => proxy.cut()),
    mute,
    () => everywhere('lossy: links break', (proxy) => proxy.lose(() => random.below(LOSS) === 0)),
    () => fillQuota(scene),
  ];
  return engine === 'raftdeck' ? harms : harms.filter((harm) => !ours.includes(harm));
}

/**
 * One harm after the other, until told to stop; after each all is mended, and the cluster must answer in time.
 * Rejects if it does not.
 */
export async function doHarm(scene: Scene, signal: AbortSignal): Promise<void> {
  const { recorder, members, network, random } = scene;
  const count = network.proxies.length;
  const harms = harmsOf(scene);
  for (let turn = 0; !signal.aborted; turn++) {
    const leader = await members.leader(undefined, HEAL_MS);
    const i = random.below(2) === 0 ? leader : random.below(count);
    await harms[turn % harms.length]?.(i);
    network.mend();
    const mendedMs = recorder.nowMs;
    await answers(members);
    const fault = recorder.history.faults.at(-1);
    if (fault !== undefined) fault.healedInMs = recorder.nowMs - mendedMs;
  }
}

/** Waits until every member answers a linearizable read. */
async function answers(members: Members): Promise<void> {
  for (const [i, client] of members.clients.entries()) {
    const asks = () => client.get('any', false, 1_000).catch(() => undefined);
    try {
      await until(`m${i} answers after all is mended`, asks, HEAL_MS);
    } catch (error) {
      const { isRunning, stderr } = members.node(i);
      const state = isRunning ? 'it runs' : 'it ended';
      throw new Error(`${errorMessage(error)}; ${state}: ${stderr.slice(-SAID_CHARACTERS)}`);
    }
  }
}

/** The process may write no file any further than a little beyond its log: its next writes fail, as on a full disk. */
async function fillDisk({ recorder, members, random }: Scene, i: number): Promise<void> {
  const node = members.node(i);
  const room = random.below(MAX_ROOM_BYTES);
  const limit = newestBytes(join(members.dataDir(i), 'member', 'wal')) + room;
  const set = spawnSync('prlimit', [`--pid=${node.pid}`, `--fsize=${limit}`], { encoding: 'utf8' });
  // It may have ended by itself, but then something is wrong with it that the next start shows.
  if (set.status !== 0 && node.isRunning) throw new Error(`prlimit: ${set.stderr}`);
  const full = recorder.fault('disk full', [`m${i}`], `no file beyond ${limit} bytes`);
  await Promise.race([node.exit, sleep(NOTICE_MS)]);
  full.detail += node.isRunning ? ': it went on' : ': it stopped';
  await node.kill('SIGKILL');
  members.startOne(i);
}

/** Size of the file that is written now: the last one by name. */
function newestBytes(dir: string): number {
  const last = readdirSync(dir).sort().at(-1);
  return last === undefined ? 0 : statSync(join(dir, last)).size;
}
