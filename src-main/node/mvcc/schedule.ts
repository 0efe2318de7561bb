import { CodedError } from '../../base/errors.ts';

/** Gives a task its turn of the event loop, after what waits already. */
export type Schedule = (task: () => void) => void;

/**
 * A turn may come after the node has closed its store; whoever asked for the work is going, too.
 */
export function isStoreClosed(error: unknown): boolean {
  return error instanceof CodedError && error.code === 'StateClosed';
}
