import type { Chance } from './chance.ts';
import type { Counted } from './coverage.ts';
import type { SimEndpoint } from './sim-endpoint.ts';
import type { SimProcess } from './sim-process.ts';
import type { World } from './world.ts';

/** How bad the network is at the moment. Shares are of frames. */
export interface NetworkTrouble {
  /** Milliseconds on the way, on average. */
  delayMs: number;
  drop: number;
  duplicate: number;
  reorder: number;
  /** Of the pieces of a snapshot stream, each time, to be the last that gets through. */
  cutStream: number;
  /** Of those pieces, each time, to be held up for long. */
  stallStream: number;
}

const SOUND: NetworkTrouble = {
  delayMs: 0.3,
  drop: 0,
  duplicate: 0,
  reorder: 0,
  cutStream: 0,
  stallStream: 0.03,
};

/**
 * What becomes of a frame on a way that is cut. drop: it is lost. hold: it arrives when the way is mended, as TCP has
 * it, however old it is by then. stall: so it is with the frames of connections, while snapshots, which have
 * connections of their own, pass.
 */
export type CutMode = 'drop' | 'hold' | 'stall';

/** Keeps frames of one connection and direction in order. */
export interface Lane {
  lastMs: number;
}

/** The wires between the members' hosts, each direction by itself. */
export class SimNetwork {
  readonly world: World;
  readonly chance: Chance;
  trouble: NetworkTrouble = { ...SOUND };
  /** Who listens, by "host:port". */
  readonly endpoints = new Map<string, SimEndpoint>();
  readonly #cuts = new Map<string, { mode: CutMode; count: number }>();
  readonly #held = new Map<string, (() => void)[]>();
  framesSent = 0;
  /** Tells what happened, by name. */
  count: (what: Counted) => void = () => {};

  constructor(world: World, chance: Chance) {
    this.world = world;
    this.chance = chance;
  }

  /** Cuts one direction; several faults may cut the same one. The result mends this cut. */
  cut(from: string, to: string, mode: CutMode): () => void {
    const way = `${from}>${to}`;
    const cut = this.#cuts.get(way);
    if (cut === undefined) this.#cuts.set(way, { mode, count: 1 });
    else {
      cut.count++;
      if (cut.mode === 'stall') cut.mode = mode;
    }
    let mended = false;
    return () => {
      if (mended) return;
      mended = true;
      const now = this.#cuts.get(way);
      if (now !== undefined && --now.count === 0) this.#mend(way);
    };
  }

  isCut(from: string, to: string): boolean {
    const mode = this.#cuts.get(`${from}>${to}`)?.mode;
    return mode !== undefined && mode !== 'stall';
  }

  heal(): void {
    this.trouble = { ...SOUND };
    for (const way of [...this.#cuts.keys()]) this.#mend(way);
  }

  /** Brings something from one host to another, perhaps late, twice, or never. */
  transmit(
    way: { from: string; to: string },
    lane: Lane | undefined,
    owner: SimProcess | undefined,
    arrive: () => void,
    options: { mayRepeat?: boolean; isStream?: boolean } = {},
  ): void {
    this.framesSent++;
    const { world, chance, trouble } = this;
    const name = `${way.from}>${way.to}`;
    const mode = this.#cuts.get(name)?.mode;
    if (mode === 'drop') {
      this.count('frames dropped');
      return;
    }
    const go = () => {
      let atMs = world.nowMs + 0.05 + chance.around(trouble.delayMs);
      const isStream = options.isStream === true;
      if (lane !== undefined && (isStream || !chance.happens(trouble.reorder))) {
        atMs = Math.max(atMs, lane.lastMs);
        lane.lastMs = atMs;
      }
      world.after(atMs - world.nowMs, arrive, owner, lane);
    };
    const isConnected = lane !== undefined && options.isStream !== true;
    if (mode === 'hold' || (mode === 'stall' && isConnected)) {
      this.count('frames held');
      const held = this.#held.get(name);
      if (held === undefined) this.#held.set(name, [go]);
      else if (held.length < MAX_HELD_FRAMES) held.push(go);
      return;
    }
    if (options.isStream !== true && chance.happens(trouble.drop)) {
      this.count('frames dropped');
      return;
    }
    go();
    if (options.mayRepeat !== true || !chance.happens(trouble.duplicate)) return;
    this.count('frames repeated');
    go();
  }

  #mend(way: string): void {
    this.#cuts.delete(way);
    const held = this.#held.get(way) ?? [];
    this.#held.delete(way);
    for (const go of held) go();
  }
}

const MAX_HELD_FRAMES = 10_000;
