import { parseArgs } from 'node:util';
import type { GrowthScale, Scale } from './workloads.ts';

export interface BenchArguments {
  help: boolean;
  growth: boolean;
  scale: Scale;
  growthScale: GrowthScale;
  /** Workloads whose id contains one of these; all if empty. */
  only: string[];
  /** Where the figures go as JSON. */
  json: string | undefined;
  /** Another build of the node, measured as "before". */
  before: string | undefined;
  /** Leave etcd out. */
  noEtcd: boolean;
}

export const HELP = `npm run bench -- [options]
  --quick         less of everything: under two minutes
  --only W        only workloads whose name contains W; may be given several times
  --rounds N      rounds of each workload on each server
  --seconds S     how long one run is measured
  --keys N        in the store that is restarted
  --json FILE     the figures, with the machine that they are of
  --growth        how speed changes with keys, revisions and clients, as plots in test-output/
  --before FILE   another build's main.js of the node, to compare with
  --no-etcd       only the node
`;

const FULL: Scale = {
  rounds: 5,
  warmupMs: 500,
  durationMs: 3000,
  keys: 10_000,
  restartKeys: 1_000_000,
};
const QUICK: Scale = {
  rounds: 2,
  warmupMs: 300,
  durationMs: 800,
  keys: 10_000,
  restartKeys: 100_000,
};

const FULL_GROWTH = { rounds: 3, keys: [10_000, 100_000, 1_000_000], revisions: 1_000_000 };
const QUICK_GROWTH = { rounds: 1, keys: [10_000, 30_000, 100_000], revisions: 100_000 };

/** Throws for what it does not know. */
export function parseArguments(args: string[]): BenchArguments {
  const { values } = parseArgs({
    args,
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      growth: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      keys: { type: 'string' },
      json: { type: 'string' },
      before: { type: 'string' },
      'no-etcd': { type: 'boolean', default: false },
    },
  });
  const base = values.quick ? QUICK : FULL;
  const growth = values.quick ? QUICK_GROWTH : FULL_GROWTH;
  const rounds = positive('rounds', values.rounds);
  const seconds = positive('seconds', values.seconds);
  const durationMs = seconds === undefined ? base.durationMs : seconds * 1000;
  return {
    help: values.help,
    growth: values.growth,
    scale: {
      ...base,
      rounds: rounds ?? base.rounds,
      durationMs,
      restartKeys: positive('keys', values.keys) ?? base.restartKeys,
    },
    growthScale: {
      ...growth,
      rounds: rounds ?? growth.rounds,
      warmupMs: base.warmupMs,
      durationMs,
    },
    only: values.only,
    json: values.json,
    before: values.before,
    noEtcd: values['no-etcd'],
  };
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new Error(`--${name} ${text}: not above 0`);
  return value;
}
