import type { RunOptions } from './run.ts';

const DEFAULT_STEPS = 20_000;

const USAGE = `usage: npm run sim -- --seed S | --seeds A..B [options]
  --steps N        events of the safety phase (${DEFAULT_STEPS})
  --without K,K    leaves out kinds of fault; "membership" is one of them
  --only I,I       only the faults with these numbers, or "none"
  --faults N       no more than the first N faults
  --clients N      no more than N clients
  --verbose        prints the trace
  --digest         prints a sum over all that the run did
  --no-shrink      does not look for a smaller failure`;

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
  const value = (name: string) => {
    const at = args.indexOf(`--${name}`);
    return at < 0 ? undefined : args[at + 1];
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
    isVerbose: args.includes('--verbose'),
    hasDigest: args.includes('--digest'),
    shrinks: !args.includes('--no-shrink'),
    plant: value('plant'),
    isRecording: args.includes('--record'),
  };
}
