import { errorMessage } from '../../src-main/base/errors.ts';
import { type Random, seededRandom } from '../../src-main/base/prng.ts';
import { Meter } from './meter.ts';
import { mutated, randomBytes } from './mutate.ts';
import { MAX_INPUT_BYTES, type MakeTarget, type Target } from './target.ts';

/** Of all inputs so many in a hundred are noise, and so many the target's own. */
const NOISE_PERCENT = 4;
const GENERATED_PERCENT = 40;
const MAX_NOISE_BYTES = 300;
/** Inputs between two looks at what shows beside a run. */
const CHECK_EVERY = 50;
/** Runs that shrinking an input may take. */
const MAX_SHRINK_RUNS = 400;
const MAX_SHRINK_MS = 60_000;

export interface Failure {
  seed: number;
  /** Which input of the seed it was. */
  execution: number;
  /** As small as it could be made. */
  input: Buffer;
  reason: string;
  error: unknown;
}

export interface RunOptions {
  seed: number;
  /** Inputs to try at most. */
  executions: number;
  /** By Date.now(). */
  untilMs?: number;
  /** Told each input before it is fed in, those that a failure is shrunk with, too. */
  onInput?: (input: Buffer) => void;
}

export interface RunResult {
  executions: number;
  failure: Failure | undefined;
}

/** Feeds inputs to a target until one fails. The same seed makes the same inputs. */
export async function runTarget(make: MakeTarget, options: RunOptions): Promise<RunResult> {
  const random = seededRandom(options.seed);
  const target = await make(random);
  const watched = new Watched(target);
  let execution = 0;
  try {
    for (const seed of target.seeds) {
      const error = await watched.failureOf(seed, true);
      if (error !== undefined) throw error;
    }
    for (; execution < options.executions; execution++) {
      if (options.untilMs !== undefined && Date.now() >= options.untilMs) break;
      const input = makeInput(target, random);
      options.onInput?.(input);
      const error = await watched.failureOf(input, execution % CHECK_EVERY === CHECK_EVERY - 1);
      if (error === undefined) {
        const changed = await roundTrip(target, random);
        if (changed === undefined) continue;
        const reason = `what is sound comes back changed: ${errorMessage(changed)}`;
        const failure = { seed: options.seed, execution, input, reason, error: changed };
        return { executions: execution + 1, failure };
      }
      const tryOne = (smaller: Buffer) => {
        options.onInput?.(smaller);
        return watched.failureOf(smaller, true);
      };
      const smallest = await shrink(input, tryOne, error);
      const failure = { ...smallest, seed: options.seed, execution };
      return { executions: execution + 1, failure };
    }
    const error = await watched.failureOf(target.seeds[0] as Buffer, true);
    if (error !== undefined) {
      const reason = `what was fed in before shows: ${errorMessage(error)}`;
      const input = target.seeds[0] as Buffer;
      const failure = { seed: options.seed, execution, input, reason, error };
      return { executions: execution, failure };
    }
    return { executions: execution, failure: undefined };
  } finally {
    watched.close();
    await target.close?.();
  }
}

/** The seed repeats it, the input beside it does not. */
async function roundTrip(target: Target, random: Random): Promise<unknown> {
  try {
    await target.roundTrip?.(random);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** What one input does, for a repetition by hand; undefined if nothing is wrong. */
export async function runInput(make: MakeTarget, input: Buffer): Promise<unknown> {
  const target = await make(seededRandom(1));
  const watched = new Watched(target);
  try {
    return await watched.failureOf(input, true);
  } finally {
    watched.close();
    await target.close?.();
  }
}

/** A target together with all that can go wrong around it. */
class Watched {
  readonly #target: Target;
  readonly #meter = new Meter();
  #stray: unknown;
  readonly #onStray = (error: unknown): void => {
    this.#stray ??= error;
  };

  constructor(target: Target) {
    this.#target = target;
    process.on('uncaughtException', this.#onStray);
    process.on('unhandledRejection', this.#onStray);
  }

  async failureOf(input: Buffer, thorough: boolean): Promise<unknown> {
    this.#stray = undefined;
    try {
      await this.#meter.measure(input, () => this.#target.run(input));
      if (thorough) await this.#target.check?.();
    } catch (error) {
      return error;
    }
    return this.#stray;
  }

  close(): void {
    this.#meter.close();
    process.off('uncaughtException', this.#onStray);
    process.off('unhandledRejection', this.#onStray);
  }
}

function makeInput(target: Target, random: Random): Buffer {
  const maxBytes = target.maxInputBytes ?? MAX_INPUT_BYTES;
  const dice = random.below(100);
  if (dice < NOISE_PERCENT) return randomBytes(random, MAX_NOISE_BYTES);
  const generated =
    dice < NOISE_PERCENT + GENERATED_PERCENT ? target.generate?.(random) : undefined;
  return generated?.subarray(0, maxBytes) ?? mutated(random, target.seeds, maxBytes);
}

/** Leaves out ever smaller pieces as long as the input fails in the same way. */
async function shrink(
  input: Buffer,
  failureOf: (input: Buffer) => Promise<unknown>,
  first: unknown,
): Promise<{ input: Buffer; reason: string; error: unknown }> {
  let smallest = { input, reason: errorMessage(first), error: first };
  const kind = kindOf(first);
  const untilMs = Date.now() + MAX_SHRINK_MS;
  let runs = 0;
  for (let bytes = Math.ceil(input.length / 2); bytes >= 1; bytes = Math.floor(bytes / 2)) {
    for (let at = 0; at < smallest.input.length && runs < MAX_SHRINK_RUNS; runs++) {
      if (Date.now() > untilMs) return smallest;
      const { input: whole } = smallest;
      const smaller = Buffer.concat([whole.subarray(0, at), whole.subarray(at + bytes)]);
      const error = await failureOf(smaller);
      if (error === undefined || kindOf(error) !== kind) at += bytes;
      else smallest = { input: smaller, reason: errorMessage(error), error };
    }
  }
  return smallest;
}

/** Numbers in a message may change while an input shrinks. */
function kindOf(error: unknown): string {
  const name = error instanceof Error ? error.name : typeof error;
  return `${name} ${errorMessage(error).replace(/\d+/g, '#').slice(0, 40)}`;
}
