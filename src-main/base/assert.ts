/** Thrown when an invariant of ours does not hold: a defect, never bad input. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Checks an invariant. Always on (DESIGN, house style). */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** For the default branch of an exhaustive switch. */
export function unreachable(value: never, what: string): never {
  throw new AssertionError(`${what}: unexpected ${String(value)}`);
}
