import type { LogLine } from '../contract/views.ts';

/**
 * - stopped: asked to, or never started. crashed: ended by itself and stays down. backoff: will be
 *   started again.
 * - orphaned: runs from a former supervisor and was neither adopted nor stopped.
 */
export type NodeState =
  | 'stopped'
  | 'starting'
  | 'running'
  | 'stopping'
  | 'crashed'
  | 'backoff'
  | 'orphaned';

export interface NodeExit {
  /** Both null for an adopted process: only its parent is told. */
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Who wanted it: a crash is what nobody asked for. */
  cause: 'crash' | 'stop' | 'kill';
  atMs: number;
  /** What it left as last words, or why it could not start; empty if nothing. */
  reason: string;
}

/** One node at one moment. Times are Unix milliseconds. */
export interface NodeSnapshot {
  name: string;
  state: NodeState;
  /** Since when it is in this state. */
  sinceMs: number;
  pid: number | null;
  startedAtMs: number | null;
  /** Started by a former supervisor: its exit code will not be known. */
  adopted: boolean;
  /** Held by SIGSTOP: running, but answering nobody. */
  paused: boolean;
  /** Restarts after crashes since somebody asked for a start. */
  restarts: number;
  nextRestartAtMs: number | null;
  lastExit: NodeExit | null;
  clientUrl: string;
  peerUrl: string;
  dataDir: string;
}

/** "exited with code 1: …", "killed by SIGKILL", "ended"; for people. */
export function describeExit(exit: NodeExit): string {
  const how =
    exit.signal !== null
      ? `killed by ${exit.signal}`
      : exit.code !== null
        ? `exited with code ${exit.code}`
        : 'ended';
  return exit.reason === '' ? how : `${how}: ${exit.reason}`;
}

const MAX_REASON_CHARS = 2_000;

/** What it wrote to stderr, else its last error in the log. */
export function exitReason(stderrLines: string[], errors: LogLine[]): string {
  const text = stderrLines.length > 0 ? stderrLines.join('\n') : lastError(errors);
  return text.length <= MAX_REASON_CHARS ? text : `…${text.slice(1 - MAX_REASON_CHARS)}`;
}

function lastError(errors: LogLine[]): string {
  const last = errors.at(-1);
  if (last === undefined) return '';
  const { error, err } = last.fields;
  const detail = error ?? err;
  return typeof detail === 'string' ? `${last.message}: ${detail}` : last.message;
}
