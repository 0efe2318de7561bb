import { z } from 'zod';
import { bytes, inCluster, keyBytes, revision } from './fields.ts';
import type { KeyRow } from './views.ts';

/** Entries of one page of a level. */
export const MAX_LEVEL_ENTRIES = 1_000;
export const MAX_SEPARATOR_BYTES = 16;

export const KEY_LEVEL_INPUTS = {
  /** The key space as a tree: keys and folders right below a prefix. */
  'keys.level': inCluster({
    prefix: keyBytes,
    separator: bytes(MAX_SEPARATOR_BYTES).refine((b) => b.length > 0, 'a separator has a byte'),
    /** `next` of the page before. */
    from: keyBytes.optional(),
    limit: z.number().int().min(1).max(MAX_LEVEL_ENTRIES),
    /** 0 or absent: now. */
    revision: revision.optional(),
  }),
} as const;

/** A folder is a prefix that ends with the separator and that at least one key has. */
export type KeyLevelEntry = { kind: 'key'; row: KeyRow } | { kind: 'folder'; prefix: Uint8Array };

export interface KeyLevel {
  entries: KeyLevelEntry[];
  /** Revision the page was read at: pass it on to page consistently. */
  revision: number;
  /** Where the next page begins; null at the end. A page may be short of its limit, even empty. */
  next: Uint8Array | null;
}

export interface KeyLevelOutputs {
  'keys.level': KeyLevel;
}
