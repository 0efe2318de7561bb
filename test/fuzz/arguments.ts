const USAGE = `usage: npm run fuzz -- [--minutes M] [--target T,T] [--seed S]
       npm run fuzz -- --target T --input FILE
  --minutes M    how long, all targets together (1)
  --target T,T   only these
  --seed S       the first seed; each round takes the next one (1)
  --input FILE   feeds in one saved input, as hex, and tells what it does`;

export interface Arguments {
  minutes: number;
  /** At least one. */
  targets: string[];
  seed: number;
  /** A file with an input to repeat, for the one target. */
  input: string | undefined;
}

/** Throws if they make no sense. `known` are the names of all targets. */
export function parseArguments(args: readonly string[], known: readonly string[]): Arguments {
  const values = new Map<string, string>();
  for (let i = 0; i < args.length; i += 2) {
    const [name, value] = [args[i] as string, args[i + 1]];
    if (!/^--(minutes|target|seed|input)$/.test(name) || value === undefined) {
      throw new Error(USAGE);
    }
    values.set(name.slice(2), value);
  }
  const minutes = Number(values.get('minutes') ?? 1);
  const seed = Number(values.get('seed') ?? 1);
  const targets = values.get('target')?.split(',') ?? [...known];
  const input = values.get('input');
  if (!(minutes > 0) || !Number.isSafeInteger(seed)) throw new Error(USAGE);
  const unknown = targets.find((target) => !known.includes(target));
  if (unknown !== undefined || (input !== undefined && targets.length !== 1)) {
    throw new Error(`${USAGE}\ntargets: ${known.join(' ')}`);
  }
  return { minutes, targets, seed, input };
}
