import type { Random } from '../../src-main/base/prng.ts';

/** One way into the product: what takes bytes that somebody else has made. */
export interface Target {
  /** Sound inputs: what mutations start from. At least one. */
  seeds: readonly Buffer[];
  /** Makes an input other than by mutation; undefined for a mutated seed after all. */
  generate?: (random: Random) => Buffer | undefined;
  /** Inputs are cut to this. Default: MAX_INPUT_BYTES. */
  maxInputBytes?: number;
  /** Makes a sound value and throws unless it comes back as it was. Done beside the inputs. */
  roundTrip?(random: Random): void | Promise<void>;
  /**
   * Feeds the input in. Resolves if the product takes it or refuses it as documented. Throws
   * whatever else comes out, and for an answer that is wrong.
   */
  run(input: Buffer): void | Promise<void>;
  /** What only shows beside a run: an error in the log, a connection that stays. Throws for it. */
  check?(): void | Promise<void>;
  close?(): Promise<void>;
}

export const MAX_INPUT_BYTES: number = 64 * 1024;

/** `random` is for making seeds. */
export type MakeTarget = (random: Random) => Target | Promise<Target>;

/** A wrong answer, or an error that is not documented. */
export class Finding extends Error {
  override readonly name = 'Finding';
}

/** Passes over an error of ours with one of these codes, a refusal as documented; throws others. */
export function refusedBy(codes: readonly string[], error: unknown): void {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!(error instanceof Error) || error.name !== 'CodedError' || !codes.includes(code)) {
    throw error;
  }
}
