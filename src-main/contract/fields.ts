import { z } from 'zod';

/** What the inputs of calls and streams are made of. */

export const MAX_KEY_BYTES = 64 * 1024;

export const bytes = (max: number) =>
  // Not z.instanceof: its type would demand an ArrayBuffer behind the bytes, which a Buffer does not promise.
  z
    .custom<Uint8Array>((value) => value instanceof Uint8Array, 'bytes')
    .refine((b) => b.length <= max, `more than ${max} bytes`);
export const keyBytes = bytes(MAX_KEY_BYTES);
export const revision = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
export const hexId = z.string().regex(/^[0-9a-f]{1,16}$/, 'an id in hex, as etcdctl prints it');
export const clusterId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
export const inCluster = <T extends z.ZodRawShape>(shape: T) =>
  z.object({ clusterId, ...shape }).strict();
