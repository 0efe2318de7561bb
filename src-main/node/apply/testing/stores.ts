import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LmdbStateStore } from '../../storage/lmdb-store.ts';
import type { StateStore } from '../../storage/types.ts';
import { MemoryStore } from './memory-store.ts';

/** A place for a state that a test can open again. */
export interface StoreHome {
  open(): Promise<StateStore>;
  /** Closes what is open and opens it again. */
  reopen(): Promise<StateStore>;
  dispose(): Promise<void>;
}

/**
 * The same specs run on both: the arrays are the plain truth, LMDB with its overlay is what ships.
 */
export const STORE_KINDS: readonly { name: string; home(): Promise<StoreHome> }[] = [
  { name: 'memory', home: async () => memoryHome() },
  { name: 'LMDB', home: lmdbHome },
];

function memoryHome(): StoreHome {
  let store = new MemoryStore();
  return {
    open: async () => store,
    reopen: async () => {
      store = store.reopened();
      return store;
    },
    dispose: async () => {},
  };
}

async function lmdbHome(): Promise<StoreHome> {
  const dir = await mkdtemp(join(tmpdir(), 'raftdeck-state-'));
  // Flushes that come soon show what differs between overlay and file.
  const options = { flushRows: 16, flushDelayMs: 1 };
  let store: LmdbStateStore | undefined;
  const reopen = async (): Promise<StateStore> => {
    await store?.close();
    store = await LmdbStateStore.open(dir, options);
    return store;
  };
  return {
    open: reopen,
    reopen,
    dispose: async () => {
      await store?.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
