import { Chance } from './chance.ts';
import type { SimCluster } from './cluster.ts';
import { FAULTS } from './fault-kinds.ts';
import type { RunOptions } from './run.ts';

const MOST_AT_ONCE = 4;

/** Which faults there are; fewer make a smaller trace. */
export type FaultOptions = Pick<RunOptions, 'without' | 'only' | 'mostFaults'>;

/** Draws faults from the seed, several at once, and takes each back after a while. */
export class Nemesis {
  readonly kinds: string[];
  /** All that the seed drew, so that leaving one out does not change which the others are. */
  readonly #drawn: string[];
  readonly #cluster: SimCluster;
  readonly #chance: Chance;
  readonly #everyMs: number;
  readonly #lastsMs: number;
  readonly #undo = new Set<() => void>();
  #stopped = false;
  readonly #options: FaultOptions;
  /** Numbers of the faults that struck. */
  readonly struck: number[] = [];
  /** Of the next one, whether it strikes or not. */
  #number = 0;

  constructor(cluster: SimCluster, options: FaultOptions = {}) {
    this.#cluster = cluster;
    this.#options = options;
    const chance = Chance.of(cluster.seed, 'nemesis');
    this.#chance = chance;
    // Few kinds together show what all of them at once would hide.
    const all = Object.keys(FAULTS);
    this.#drawn = chance.happens(0.3) ? all : chance.some(all, 1, 5);
    this.kinds = this.#drawn.filter((kind) => options.without?.includes(kind) !== true);
    this.#everyMs = chance.pick([500, 2_000, 6_000]) ?? 2_000;
    this.#lastsMs = chance.pick([1_000, 4_000, 15_000]) ?? 4_000;
  }

  get faults(): number {
    return this.struck.length;
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
      member.diesAtImport = false;
      if (member.process.paused) member.process.resume();
    }
  }

  #later(): void {
    const { mostFaults = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#stopped || this.faults >= mostFaults || this.kinds.length === 0) return;
    this.#cluster.world.after(this.#chance.around(this.#everyMs), () => {
      if (this.#stopped) return;
      this.#strike();
      this.#later();
    });
  }

  #strike(): void {
    const number = this.#number++;
    // A source of its own: what others drew, or did not, is nothing to it.
    const chance = Chance.of(this.#cluster.seed, `fault ${number}`);
    const kind = chance.pick(this.#drawn) ?? '';
    const fault = this.kinds.includes(kind) ? FAULTS[kind] : undefined;
    if (fault === undefined || this.#cluster.running().length === 0) return;
    if (this.#undo.size >= MOST_AT_ONCE) return;
    if (this.#options.only?.includes(number) === false) return;
    this.struck.push(number);
    const undo = fault(this.#cluster, chance);
    const lastsMs = chance.around(this.#lastsMs);
    if (undo === undefined) return;
    const once = () => {
      if (!this.#undo.delete(once)) return;
      this.#cluster.recorder.trace(`fault ${kind} ends`);
      undo();
    };
    this.#undo.add(once);
    this.#cluster.world.after(lastsMs, once);
  }
}
