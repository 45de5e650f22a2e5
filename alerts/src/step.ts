import type { InstanceState } from "./entry.ts";

/** Which instance it is; never changes. */
export interface Identity {
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Timing {
  /** A threshold must hold that long before it fires. */
  readonly forMs: number;
  /** An alert fires on that long after its condition was last seen to hold. */
  readonly keepForMs: number;
}

/** What happens to an instance. Moments are milliseconds since the epoch. */
export type StepInput =
  /** A threshold was evaluated for this moment. No value: there is none to compare, which does not hold. */
  | {
      readonly kind: "tick";
      readonly atMs: number;
      readonly holds: boolean;
      readonly value: number | undefined;
    }
  /** So many records matched. */
  | { readonly kind: "match"; readonly atMs: number; readonly count: number }
  /** Only time has passed: ends what only records keep up. */
  | { readonly kind: "time"; readonly atMs: number };

export interface Stepped {
  /** Undefined: inactive. */
  readonly state: InstanceState | undefined;
  /** What receivers are told, with the instance as they are told it. */
  readonly transition:
    | { readonly status: "firing" | "resolved"; readonly instance: InstanceState }
    | undefined;
}

const inactive: Stepped = { state: undefined, transition: undefined };

/**
 * The state machine of one alert: inactive → pending → firing → resolved, which is inactive again. Pure. Between two
 * transitions to firing there is one to resolved, and `firingMs` stays as it is in between.
 */
export function step(
  state: InstanceState | undefined,
  identity: Identity,
  timing: Timing,
  input: StepInput,
): Stepped {
  switch (input.kind) {
    case "tick":
      if (!input.holds) return lapse(state, timing, input);
      return hold(state, identity, timing, { atMs: input.atMs, count: input.value ?? 0 });
    case "match": {
      if (input.count <= 0) return unchanged(state);
      const count = (state?.count ?? 0) + input.count;
      return hold(state, identity, { ...timing, forMs: 0 }, { atMs: input.atMs, count });
    }
    case "time":
      return state?.phase === "firing" ? lapse(state, timing, input) : unchanged(state);
  }
}

function hold(
  state: InstanceState | undefined,
  identity: Identity,
  { forMs }: Timing,
  { atMs, count }: { readonly atMs: number; readonly count: number },
): Stepped {
  if (state?.phase === "firing") return unchanged({ ...state, lastTrueMs: atMs, count });
  // A clock that was set back begins the wait anew.
  const activeMs = Math.min(state?.activeMs ?? atMs, atMs);
  const isDue = atMs - activeMs >= forMs;
  const next: InstanceState = {
    ...identity,
    phase: isDue ? "firing" : "pending",
    activeMs,
    firingMs: isDue ? atMs : undefined,
    lastTrueMs: atMs,
    count,
  };
  return { state: next, transition: isDue ? { status: "firing", instance: next } : undefined };
}

function lapse(
  state: InstanceState | undefined,
  { keepForMs }: Timing,
  input: { readonly atMs: number; readonly value?: number | undefined },
): Stepped {
  // What only was about to fire has told nobody.
  if (state?.phase !== "firing") return inactive;
  // A clock that was set back begins the wait anew.
  const lastTrueMs = Math.min(state.lastTrueMs, input.atMs);
  const next: InstanceState = { ...state, lastTrueMs, count: input.value ?? state.count };
  if (input.atMs - lastTrueMs < keepForMs) return unchanged(next);
  return { state: undefined, transition: { status: "resolved", instance: next } };
}

function unchanged(state: InstanceState | undefined): Stepped {
  return { state, transition: undefined };
}
