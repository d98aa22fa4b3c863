/**
 * Assertions for our own mistakes. A failed one is a bug, never an operating error: nobody catches it,
 * the process ends and restarts into recovery (see errors.ts for the other two kinds of error).
 */

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** For values that the type system or an earlier check rules out. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}

/** The value, where an index or a lookup cannot miss unless we made a mistake. */
export function must<T>(value: T | undefined | null, message: string): T {
  if (value === undefined || value === null) throw new AssertionError(message);
  return value;
}
