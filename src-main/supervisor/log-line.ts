import type { LogLine } from '../contract/views.ts';

export type LogLevel = LogLine['level'];

/** Least to most severe. */
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** pino's numbers, and the names that zap (etcd) has beyond ours. */
const LEVEL_NAMES: ReadonlyMap<unknown, LogLevel> = new Map<unknown, LogLevel>([
  ['trace', 'debug'],
  ['debug', 'debug'],
  ['info', 'info'],
  ['warn', 'warn'],
  ['warning', 'warn'],
  ['error', 'error'],
  ['dpanic', 'error'],
  ['panic', 'error'],
  ['fatal', 'error'],
  [10, 'debug'],
  [20, 'debug'],
  [30, 'info'],
  [40, 'warn'],
  [50, 'error'],
  [60, 'error'],
]);

const TIME_KEYS = ['time', 'ts', 'timestamp'];
const MESSAGE_KEYS = ['msg', 'message'];
const LEVEL_KEYS = ['level', 'severity'];
/** Unix seconds stay below this for some thousands of years; milliseconds passed it in 1973. */
const SECONDS_BELOW = 100_000_000_000;

export type ParsedLine = Pick<LogLine, 'atMs' | 'level' | 'message' | 'fields'>;

/** Reads a line of pino, zap or the like. What is no JSON object becomes a message as it stands. */
export function parseLogLine(text: string): ParsedLine {
  const value = parseObject(text);
  if (value === null) return { atMs: null, level: 'info', message: text, fields: {} };
  const fields = { ...value };
  const level = take(fields, LEVEL_KEYS);
  const message = take(fields, MESSAGE_KEYS);
  return {
    atMs: toUnixMs(take(fields, TIME_KEYS)),
    level: LEVEL_NAMES.get(typeof level === 'string' ? level.toLowerCase() : level) ?? 'info',
    message: typeof message === 'string' ? message : text,
    fields,
  };
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    return value as Record<string, unknown>;
  } catch {
    return null;
  }
}

function take(fields: Record<string, unknown>, keys: string[]): unknown {
  for (const key of keys) {
    if (!Object.hasOwn(fields, key)) continue;
    const value = fields[key];
    delete fields[key];
    return value;
  }
  return undefined;
}

/** ISO 8601, Unix milliseconds, or Unix seconds with a fraction. */
function toUnixMs(value: unknown): number | null {
  if (typeof value === 'number' && Number.isFinite(value)) {
    return Math.round(value < SECONDS_BELOW ? value * 1_000 : value);
  }
  if (typeof value !== 'string') return null;
  // zap writes an offset without a colon (+0100), which not every parser takes.
  const parsed = Date.parse(value.replace(/([+-]\d{2})(\d{2})$/, '$1:$2'));
  return Number.isNaN(parsed) ? null : parsed;
}
