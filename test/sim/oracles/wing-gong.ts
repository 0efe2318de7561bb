/**
 * Linearizability of one object's history: the search of Wing and Gong ("Testing and verifying concurrent objects",
 * 1993) with the memory of Lowe ("Testing for linearizability", 2017). A point of the search is the set of calls that
 * have taken effect and the state they led to; a point that failed once is not tried again.
 */

export interface Call<Op> {
  /** When it was called and when its answer came, on one clock. Calls that touch at one instant are concurrent. */
  invoke: number;
  /** Infinity: its outcome is unknown. It may take effect at any time after `invoke`, or never. */
  complete: number;
  op: Op;
}

export interface Model<State, Op> {
  initial: State;
  /** The states that the call may lead to, given what it answered; none if it cannot have answered so here. */
  step(state: State, op: Op): readonly State[];
  /** Two states with one key are the same state. */
  key(state: State): string;
}

export interface Verdict {
  outcome: 'linearizable' | 'violation' | 'undecided';
  /** Indices of calls in the order in which they took effect: all of them, or as far as the search came. */
  order: number[];
  /** How often the model was asked: the cost. */
  steps: number;
}

/** Steps of the model: enough for tens of thousands of calls; a search beyond is lost in unknown outcomes. */
export const MAX_SEARCH_STEPS = 300_000;

/** A state that was reached, and how. */
interface Point<State> {
  state: State;
  /** Bit i: unknown call i has taken effect. */
  used: bigint;
  /** The call whose effect led here, and from where; undefined at the root. */
  via: number | undefined;
  from: Point<State> | undefined;
}

/** The definite calls that have taken effect. */
interface Taken {
  /** Every definite call before this one (in order of invocation) has taken effect. */
  base: number;
  /** Bit i: definite call base + i has taken effect. Bit 0 is never set. */
  mask: bigint;
}

/** The points with the same definite calls taken, those with few unknown ones first. */
interface Frame<State> extends Taken {
  points: Point<State>[];
  /** How many of the points were looked at. */
  seen: number;
  /** The definite calls that may take effect next, the most promising last. */
  candidates: number[];
  /** The first answer that is still to be given: what was called later cannot take effect yet. */
  firstAnswer: number;
  /** Where to go from the point looked at, the most promising last. */
  open: { candidate: number; point: Point<State> }[];
  /** The point whose unknown calls are still to be tried: only when nothing else helped. */
  unknownFrom: Point<State> | undefined;
}

export function linearize<State, Op>(
  model: Model<State, Op>,
  calls: readonly Call<Op>[],
  maxSteps = MAX_SEARCH_STEPS,
): Verdict {
  return new Search(model, calls, maxSteps).run();
}

class Search<State, Op> {
  readonly #model: Model<State, Op>;
  readonly #calls: readonly Call<Op>[];
  readonly #maxSteps: number;
  /** Indices into calls, by invocation. */
  readonly #definite: number[];
  readonly #unknown: number[];
  /**
   * Points that were reached, by definite calls and state: the sets of unknown calls used. One with more of them
   * used cannot lead further than one with fewer, because an unknown call never needs to take effect.
   */
  readonly #reached = new Map<string, bigint[]>();
  #steps = 0;

  constructor(model: Model<State, Op>, calls: readonly Call<Op>[], maxSteps: number) {
    this.#model = model;
    this.#calls = calls;
    this.#maxSteps = maxSteps;
    const order = calls.map((_, i) => i).sort((a, b) => this.#at(a).invoke - this.#at(b).invoke);
    this.#definite = order.filter((i) => this.#at(i).complete !== Number.POSITIVE_INFINITY);
    this.#unknown = order.filter((i) => this.#at(i).complete === Number.POSITIVE_INFINITY);
  }

  run(): Verdict {
    const { initial: state } = this.#model;
    const root = { state, used: 0n, via: undefined, from: undefined };
    const stack = [this.#frame({ base: 0, mask: 0n }, root)];
    let deepest = { base: 0, point: root as Point<State> };
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const point = top.points[0] as Point<State>;
      if (top.base === this.#definite.length) return this.#verdict('linearizable', point);
      if (stack.length > deepest.base) deepest = { base: stack.length, point };
      if (this.#steps > this.#maxSteps) return this.#verdict('undecided', deepest.point);
      const next = top.open.pop();
      if (next !== undefined) this.#descend(stack, top, next.candidate, next.point);
      else if (top.unknownFrom !== undefined) this.#tryUnknown(top, top.unknownFrom);
      else if (top.seen < top.points.length) this.#look(top);
      else stack.pop();
    }
    return this.#verdict('violation', deepest.point);
  }

  #verdict(outcome: Verdict['outcome'], last: Point<State>): Verdict {
    const order: number[] = [];
    for (let at: Point<State> | undefined = last; at?.via !== undefined; at = at.from) {
      order.push(at.via);
    }
    return { outcome, order: order.reverse(), steps: this.#steps };
  }

  #at(i: number): Call<Op> {
    return this.#calls[i] as Call<Op>;
  }

  #step(from: Point<State>, call: number): Point<State>[] {
    this.#steps++;
    const states = this.#model.step(from.state, this.#at(call).op);
    return states.map((state) => ({ state, used: from.used, via: call, from }));
  }

  /** Whatever was called before every answer that is still to be given may take effect next. */
  #frame(taken: Taken, point: Point<State>): Frame<State> {
    const candidates: number[] = [];
    let firstAnswer = Number.POSITIVE_INFINITY;
    for (let i = taken.base; i < this.#definite.length; i++) {
      const call = this.#at(this.#definite[i] as number);
      if (call.invoke > firstAnswer) break;
      if (((taken.mask >> BigInt(i - taken.base)) & 1n) === 1n) continue;
      firstAnswer = Math.min(firstAnswer, call.complete);
      candidates.push(i);
    }
    const completes = (i: number) => this.#at(this.#definite[i] as number).complete;
    candidates.sort((a, b) => completes(b) - completes(a));
    const rest = { points: [point], seen: 0, open: [], unknownFrom: undefined };
    return { ...taken, candidates, firstAnswer, ...rest };
  }

  /** Finds where the definite calls lead from the next point. */
  #look(frame: Frame<State>): void {
    const from = frame.points[frame.seen++] as Point<State>;
    frame.unknownFrom = from;
    for (const candidate of frame.candidates) {
      for (const point of this.#step(from, this.#definite[candidate] as number)) {
        frame.open.push({ candidate, point });
      }
    }
  }

  #descend(
    stack: Frame<State>[],
    from: Frame<State>,
    candidate: number,
    point: Point<State>,
  ): void {
    let mask = from.mask | (1n << BigInt(candidate - from.base));
    let base = from.base;
    while ((mask & 1n) === 1n) {
      mask >>= 1n;
      base++;
    }
    if (this.#isNew({ base, mask }, point)) stack.push(this.#frame({ base, mask }, point));
  }

  #tryUnknown(frame: Frame<State>, from: Point<State>): void {
    frame.unknownFrom = undefined;
    for (const [i, index] of this.#unknown.entries()) {
      if (this.#at(index).invoke > frame.firstAnswer) break;
      const bit = 1n << BigInt(i);
      if ((from.used & bit) !== 0n) continue;
      for (const point of this.#step(from, index)) {
        point.used |= bit;
        if (this.#isNew(frame, point)) frame.points.push(point);
      }
    }
  }

  #isNew({ base, mask }: Taken, { state, used }: Point<State>): boolean {
    const key = `${base}.${mask.toString(36)}.${this.#model.key(state)}`;
    const reached = this.#reached.get(key);
    if (reached === undefined) {
      this.#reached.set(key, [used]);
      return true;
    }
    if (reached.some((fewer) => (fewer & used) === fewer)) return false;
    reached.push(used);
    return true;
  }
}
