/** The etcdctl command that does what an action of ours does, quoted for a POSIX shell. */
import { utf8Decode } from './bytes.ts';

type Arg = string | Uint8Array;

/**
 * An argument as the shell must be given it. Bytes that are no plain text need bash's or zsh's
 * $'…'.
 */
export function shellQuote(arg: Arg): string {
  const text = typeof arg === 'string' ? arg : utf8Decode(arg);
  if (text === null) return ansiQuote(arg as Uint8Array);
  if (text === '') return "''";
  if (/^[A-Za-z0-9_/.:=,@%+-]+$/.test(text)) return text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (/[\u0000-\u001f\u007f]/.test(text)) return ansiQuote(new TextEncoder().encode(text));
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function ansiQuote(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) {
    if (byte === 0x5c || byte === 0x27) out += `\\${String.fromCharCode(byte)}`;
    else if (byte === 0x0a) out += '\\n';
    else if (byte === 0x09) out += '\\t';
    else if (byte >= 0x20 && byte < 0x7f) out += String.fromCharCode(byte);
    // Three octal digits: \xNN would take a following hex digit with it in some shells.
    else out += `\\${byte.toString(8).padStart(3, '0')}`;
  }
  return `$'${out}'`;
}

/** A string literal of Go, as etcdctl's txn reads it. */
export function goQuote(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) {
    if (byte === 0x22 || byte === 0x5c) out += `\\${String.fromCharCode(byte)}`;
    else if (byte === 0x0a) out += '\\n';
    else if (byte >= 0x20 && byte < 0x7f) out += String.fromCharCode(byte);
    else out += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return `"${out}"`;
}

/** The argument as etcdctl takes it: an id in hex. */
type LeaseId = string;

export interface RangeOptions {
  prefix?: boolean;
  /** Half-open end; one zero byte means to the end of the key space. */
  rangeEnd?: Uint8Array;
}

/** Builds commands against these endpoints. */
export class Etcdctl {
  readonly #endpoints: readonly string[];

  constructor(endpoints: readonly string[]) {
    this.#endpoints = endpoints;
  }

  /** `--endpoints=a,b`, without http://, which is the default. */
  get endpointsFlag(): string {
    const list = this.#endpoints.map((endpoint) => endpoint.replace(/^http:\/\//, ''));
    return `--endpoints=${shellQuote(list.join(','))}`;
  }

  get(key: Uint8Array, options: RangeOptions & { revision?: number; keysOnly?: boolean } = {}) {
    const flags = rangeFlags(options);
    if (options.keysOnly) flags.push('--keys-only');
    if (options.revision) flags.push(`--rev=${options.revision}`);
    return this.#command(['get', ...flags], rangeArgs(key, options));
  }

  /** `ignoreLease` keeps the lease that the key has. */
  put(
    key: Uint8Array,
    value: Uint8Array,
    options: { lease?: LeaseId | null; ignoreLease?: boolean } = {},
  ): string {
    const flags: string[] = [];
    if (options.lease) flags.push(`--lease=${options.lease}`);
    if (options.ignoreLease) flags.push('--ignore-lease');
    return this.#command(['put', ...flags], [key, value]);
  }

  /** Put only if the key is still at this mod revision (0: if it does not exist). */
  putIf(
    key: Uint8Array,
    value: Uint8Array,
    modRevision: number,
    options: { lease?: LeaseId | null; ignoreLease?: boolean } = {},
  ): string {
    const flags = options.lease ? `--lease=${options.lease} ` : '';
    const keep = options.ignoreLease ? '--ignore-lease ' : '';
    const quoted = goQuote(key);
    return this.#txn(
      `mod(${quoted}) = "${modRevision}"`,
      `put ${flags}${keep}${quoted} ${goQuote(value)}`,
    );
  }

  del(key: Uint8Array, options: RangeOptions = {}): string {
    return this.#command(['del', ...rangeFlags(options)], rangeArgs(key, options));
  }

  /** Delete only if the key is still at this mod revision. */
  delIf(key: Uint8Array, modRevision: number): string {
    const quoted = goQuote(key);
    return this.#txn(`mod(${quoted}) = "${modRevision}"`, `del ${quoted}`);
  }

  watch(
    key: Uint8Array,
    options: RangeOptions & { startRevision?: number; prevValue?: boolean } = {},
  ): string {
    const flags = rangeFlags(options);
    if (options.startRevision) flags.push(`--rev=${options.startRevision}`);
    if (options.prevValue) flags.push('--prev-kv');
    return this.#command(['watch', ...flags], rangeArgs(key, options));
  }

  leaseGrant(ttlSeconds: number): string {
    return this.#command(['lease', 'grant', String(ttlSeconds)], []);
  }

  leaseRevoke(id: LeaseId): string {
    return this.#command(['lease', 'revoke', id], []);
  }

  /** Without `once` it goes on until it is interrupted. */
  leaseKeepAlive(id: LeaseId, options: { once?: boolean } = {}): string {
    return this.#command(['lease', 'keep-alive', ...(options.once ? ['--once'] : []), id], []);
  }

  leaseTimeToLive(id: LeaseId): string {
    return this.#command(['lease', 'timetolive', '--keys', id], []);
  }

  leaseList(): string {
    return this.#command(['lease', 'list'], []);
  }

  compact(revision: number, options: { physical?: boolean } = {}): string {
    return this.#command(
      ['compact', ...(options.physical ? ['--physical'] : []), String(revision)],
      [],
    );
  }

  /** Defragments the members of these endpoints only. */
  defrag(): string {
    return this.#command(['defrag'], []);
  }

  /** Of one endpoint: etcdctl takes no more for it. */
  snapshotSave(file: string): string {
    return this.#command(['snapshot', 'save'], [file]);
  }

  /** Sums of the members of these endpoints, up to a revision. */
  endpointHashKv(revision: number): string {
    return this.#command(['endpoint', 'hashkv', `--rev=${revision}`], []);
  }

  alarmList(): string {
    return this.#command(['alarm', 'list'], []);
  }

  alarmDisarm(): string {
    return this.#command(['alarm', 'disarm'], []);
  }

  endpointStatus(): string {
    return this.#command(['endpoint', 'status', '-w', 'table'], []);
  }

  endpointHealth(): string {
    return this.#command(['endpoint', 'health'], []);
  }

  memberList(): string {
    return this.#command(['member', 'list', '-w', 'table'], []);
  }

  #command(words: readonly string[], args: readonly Arg[]): string {
    const quoted = args.map(shellQuote);
    // A key or value that begins with a dash would be read as a flag.
    const dashes = args.some((arg) => startsWithDash(arg)) ? ['--'] : [];
    return ['etcdctl', this.endpointsFlag, ...words, ...dashes, ...quoted].join(' ');
  }

  /**
   * etcdctl reads compares, then success requests, then failure requests, each list ended by an
   * empty line.
   */
  #txn(compare: string, success: string): string {
    return `etcdctl ${this.endpointsFlag} txn <<'EOF'\n${compare}\n\n${success}\n\n\nEOF`;
  }
}

function startsWithDash(arg: Arg): boolean {
  return typeof arg === 'string' ? arg.startsWith('-') : arg[0] === 0x2d;
}

function isToTheEnd(rangeEnd: Uint8Array | undefined): boolean {
  return rangeEnd?.length === 1 && rangeEnd[0] === 0;
}

function rangeFlags(options: RangeOptions): string[] {
  if (options.prefix) return ['--prefix'];
  return isToTheEnd(options.rangeEnd) ? ['--from-key'] : [];
}

function rangeArgs(key: Uint8Array, options: RangeOptions): Uint8Array[] {
  const { prefix, rangeEnd } = options;
  return prefix || rangeEnd === undefined || isToTheEnd(rangeEnd) ? [key] : [key, rangeEnd];
}
