import { ConfigError } from './errors.ts';

export interface Address {
  host: string;
  port: number;
}

export interface InitialMember {
  name: string;
  peerUrls: string[];
}

export interface AutoCompaction {
  mode: 'periodic' | 'revision';
  /** Milliseconds for periodic, revisions for revision; 0 is off. */
  retention: number;
}

/* Each of these reads a flag's text and throws a ConfigError that says what it wants instead. */

/** Brackets hold an IPv6 address, which may end as an IPv4 one does. */
const URL_PATTERN = /^http:\/\/(\[[0-9a-fA-F:.]+\]|[^:/[\]\s?#@]+):(\d{1,5})\/?$/;

/** Splits `http://host:port`. Only plain http until TLS is served. */
export function parseUrl(url: string): Address {
  const match = URL_PATTERN.exec(url);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw new ConfigError(
      `"${url}" is not a URL of the form http://host:port`,
      url.startsWith('https:') ? 'TLS listeners are not available yet; use http://.' : undefined,
    );
  }
  return { host: (match[1] as string).replace(/^\[|\]$/g, ''), port };
}

export function text(value: string): string {
  return value;
}

export function nonEmpty(value: string): string {
  if (value === '') throw new ConfigError('it must not be empty');
  return value;
}

export function urls(value: string): string[] {
  const list = value.split(',').map((url) => url.trim().replace(/\/$/, ''));
  for (const url of list) parseUrl(url);
  return list;
}

export function list(value: string): string[] {
  return value.split(',').map((item) => item.trim());
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^-?\d+$/.test(value) || number < min || number > max) {
      throw new ConfigError(`it must be an integer of at least ${min}`);
    }
    return number;
  };
}

export function choice<T extends string>(...choices: T[]): (value: string) => T {
  return (value) => {
    const found = choices.find((one) => one === value);
    if (found === undefined) throw new ConfigError(`it must be one of ${choices.join(', ')}`);
    return found;
  };
}

const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/** What Go's strconv.ParseBool takes. */
export function boolean(value: string): boolean {
  if (!TRUE.has(value) && !FALSE.has(value)) throw new ConfigError('it must be true or false');
  return TRUE.has(value);
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
/** setTimeout takes no more than 2^31 - 1 ms, and nobody waits longer than 24 days. */
export const MAX_DURATION_MS: number = 2 ** 31 - 1;

/** A longer one is none that anybody writes, and digits without end take without end to look at. */
const MAX_DURATION_CHARS = 100;

/** A duration as Go writes it, such as 1h30m, 1.5s or 0, in milliseconds. Negative ones are refused. */
export function duration(value: string): number {
  if (/^[+-]?0$/.test(value)) return 0;
  const text = value.length > MAX_DURATION_CHARS ? '' : value;
  const parts = [...text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== value) {
    throw new ConfigError('it must be a duration such as 30s, 10m or 1h30m');
  }
  const ms = parts.reduce((sum, p) => sum + Number(p[1]) * (UNITS_MS[p[2] as string] as number), 0);
  if (ms > MAX_DURATION_MS) throw new ConfigError('it must be at most 596h');
  return ms;
}

/** `name=url,name=url`; a name that comes twice has several URLs, as in etcd. */
export function parseInitialCluster(value: string): InitialMember[] {
  const members = new Map<string, string[]>();
  for (const part of value.split(',')) {
    const at = part.indexOf('=');
    if (at <= 0) throw new ConfigError(`"${part}" is not of the form name=http://host:port`);
    const name = part.slice(0, at).trim();
    const known = members.get(name) ?? [];
    known.push(...urls(part.slice(at + 1)));
    members.set(name, known);
  }
  return [...members].map(([name, peerUrls]) => ({ name, peerUrls }));
}

/** etcd's rule: a bare number is hours for periodic and revisions for revision; else a duration. */
export function parseRetention(mode: AutoCompaction['mode'], value: string): number {
  const isNumber = /^\d+$/.test(value);
  if (mode === 'revision') {
    if (!isNumber) throw retentionError(value, 'a number of revisions');
    return integer(0)(value);
  }
  try {
    return duration(isNumber ? `${value}h` : value);
  } catch {
    throw retentionError(value, 'a duration such as 30m or 1h, of at most 596h');
  }
}

function retentionError(value: string, wanted: string): ConfigError {
  return new ConfigError(`--auto-compaction-retention "${value}" is not ${wanted}`);
}
