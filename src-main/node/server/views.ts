import { CodedError } from '../../base/errors.ts';
import type { StateStore, StateView } from '../storage/types.ts';
import { nodeError } from './proposals.ts';

/**
 * Runs `work` on a view of the state as it is now. More of them than the store bears, and a state
 * that is replaced meanwhile, are TooManyRequests: the client may try again.
 */
export async function withView<T>(
  store: StateStore,
  work: (view: StateView) => Promise<T>,
): Promise<T> {
  let view: StateView | undefined;
  try {
    view = await store.openView();
    return await work(view);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    if (error.code === 'StateBusy') throw nodeError('TooManyRequests');
    throw error.code === 'StateClosed' ? nodeError('Stopped') : error;
  } finally {
    view?.end();
  }
}
