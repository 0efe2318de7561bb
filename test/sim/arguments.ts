import { parseArgs } from 'node:util';
import { errorMessage } from '../../src-main/base/errors.ts';
import type { RunOptions } from './run.ts';

const DEFAULT_STEPS = 20_000;

export const USAGE = `usage: npm run sim -- --seed S | --seeds A..B [options]
  --steps N        events of the safety phase (${DEFAULT_STEPS})
  --without K,K    leaves out kinds of fault; "membership" is one of them
  --only I,I       only the faults with these numbers, or "none"
  --faults N       no more than the first N faults
  --clients N      no more than N clients
  --verbose        prints the trace
  --digest         prints a sum over all that the run did
  --no-shrink      does not look for a smaller failure
  --plant NAME     with a known bug in the product, or "all" of them in turn
  --record         writes down which seeds caught them`;

export interface Arguments {
  from: number;
  to: number;
  /** What all seeds have in common. */
  options: Omit<RunOptions, 'seed'>;
  /** Prints the whole trace of a run, also of one that succeeds. */
  isVerbose: boolean;
  hasDigest: boolean;
  /** Looks for a smaller run with the same failure. */
  shrinks: boolean;
  /** Name of a bug to plant, or "all". */
  plant: string | undefined;
  isRecording: boolean;
}

/** Throws if they make no sense. */
export function parseArguments(args: readonly string[]): Arguments {
  const given = read(args);
  const value = (name: string) => {
    const text = given[name];
    return typeof text === 'string' ? text : undefined;
  };
  const number = (name: string) => {
    const text = value(name);
    return text === undefined ? undefined : Number(text);
  };
  const list = (name: string) =>
    value(name)
      ?.split(',')
      .filter((one) => one !== 'none');
  const seeds = value('seeds')?.split('..').map(Number);
  const from = seeds?.[0] ?? number('seed') ?? 1;
  const to = seeds?.[1] ?? from;
  const steps = number('steps') ?? DEFAULT_STEPS;
  const only = list('only')?.map(Number);
  const mostFaults = number('faults');
  const mostClients = number('clients');
  const numbers = [
    from,
    to,
    steps,
    ...(seeds?.length === 1 ? [Number.NaN] : []),
    ...(only ?? []),
    mostFaults ?? 0,
    mostClients ?? 0,
  ];
  if (!numbers.every(Number.isInteger)) throw new Error(USAGE);
  const without = list('without');
  return {
    from,
    to,
    options: {
      steps,
      ...(without === undefined ? {} : { without }),
      ...(only === undefined ? {} : { only }),
      ...(mostFaults === undefined ? {} : { mostFaults }),
      ...(mostClients === undefined ? {} : { mostClients }),
    },
    isVerbose: given.verbose === true,
    hasDigest: given.digest === true,
    shrinks: given['no-shrink'] !== true,
    plant: value('plant'),
    isRecording: given.record === true,
  };
}

/** What was given by name. Unknown names are refused: a run without what was asked for looks like a good one. */
function read(args: readonly string[]): Record<string, unknown> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ seed: text, seeds: text, steps: text, without: text, only: text, faults: text },
        ...{ clients: text, plant: text, verbose: flag, digest: flag, 'no-shrink': flag },
        record: flag,
      },
    }).values;
  } catch (error) {
    throw new Error(`${errorMessage(error)}\n${USAGE}`);
  }
}
