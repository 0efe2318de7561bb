import { Chance } from './chance.ts';
import type { SimCluster } from './cluster.ts';
import { FAULTS } from './fault-kinds.ts';

const MOST_AT_ONCE = 4;

/** Draws faults from the seed, several at once, and takes each back after a while. */
export class Nemesis {
  readonly kinds: string[];
  readonly #cluster: SimCluster;
  readonly #chance: Chance;
  readonly #everyMs: number;
  readonly #lastsMs: number;
  readonly #undo = new Set<() => void>();
  #stopped = false;
  #drawn = 0;
  readonly #mostFaults: number;

  /** `without`: kinds that are left out; `most`: how many faults there may be at all. Both are for smaller traces. */
  constructor(
    cluster: SimCluster,
    without: readonly string[] = [],
    most = Number.POSITIVE_INFINITY,
  ) {
    this.#cluster = cluster;
    this.#mostFaults = most;
    const chance = Chance.of(cluster.seed, 'nemesis');
    this.#chance = chance;
    // Few kinds together show what all of them at once would hide.
    const all = Object.keys(FAULTS);
    const drawn = chance.happens(0.3) ? all : chance.some(all, 1, 5);
    this.kinds = drawn.filter((kind) => !without.includes(kind));
    this.#everyMs = chance.pick([300, 1_000, 3_000]) ?? 1_000;
    this.#lastsMs = chance.pick([500, 2_000, 6_000]) ?? 2_000;
  }

  get faults(): number {
    return this.#drawn;
  }

  start(): void {
    this.#later();
  }

  stop(): void {
    this.#stopped = true;
    for (const undo of [...this.#undo]) undo();
    const { network, members } = this.#cluster;
    network.heal();
    for (const member of members) {
      member.disk.heal();
      member.process.disarm();
      if (member.process.paused) member.process.resume();
    }
  }

  #later(): void {
    if (this.#stopped || this.#drawn >= this.#mostFaults || this.kinds.length === 0) return;
    this.#cluster.world.after(this.#chance.around(this.#everyMs), () => {
      if (this.#stopped) return;
      if (this.#undo.size < MOST_AT_ONCE) this.#strike();
      this.#later();
    });
  }

  #strike(): void {
    const kind = this.#chance.pick(this.kinds);
    const fault = kind === undefined ? undefined : FAULTS[kind];
    if (fault === undefined || this.#cluster.running().length === 0) return;
    this.#drawn++;
    const undo = fault(this.#cluster, this.#chance);
    if (undo === undefined) return;
    const once = () => {
      if (!this.#undo.delete(once)) return;
      this.#cluster.recorder.trace(`fault ${kind} ends`);
      undo();
    };
    this.#undo.add(once);
    this.#cluster.world.after(this.#chance.around(this.#lastsMs), once);
  }
}
