/**
 * A value whose bytes may cross by structured clone. A Buffer is a window onto a larger pool, and
 * cloning it would copy the whole pool over, other people's bytes included: each gets a buffer of
 * its own, exactly as long as it is.
 */
export function toCloneable(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(toCloneable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, toCloneable(part)]));
}
