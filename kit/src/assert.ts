/** A fault of ours: state that the code says cannot be. Never raised by input. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws when a claim about our own state does not hold. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks a branch that the types rule out. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
