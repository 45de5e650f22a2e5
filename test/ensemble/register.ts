import {
  checkLinearizable,
  type Model,
  type Operation,
  type SearchOptions,
  type Verdict,
} from "./linearizability.ts";

/** A znode as far as data and version go. */
export interface RegisterState {
  readonly value: string;
  readonly version: number;
}

/**
 * What was asked of a register. `version` is that of the Stat that came with the answer: after a write, or as read;
 * undefined where no answer came.
 */
export type RegisterCall =
  | { readonly kind: "write"; readonly value: string; readonly version: number | undefined }
  | { readonly kind: "read"; readonly value: string; readonly version: number }
  /** A write on condition of a version. `isDone`: undefined where no answer came. */
  | {
      readonly kind: "compareAndSet";
      readonly expected: number;
      readonly value: string;
      readonly isDone: boolean | undefined;
    };

/**
 * Whether what clients asked of a register, and heard, is linearizable. No two writes may be of one value. It begins with
 * `value` at version 0.
 */
export function checkRegister(
  operations: readonly Operation<RegisterCall>[],
  value: string,
  options?: SearchOptions,
): Verdict<RegisterState, RegisterCall> {
  const model: Model<RegisterState, RegisterCall> = {
    initial: { value, version: 0 },
    step: registerStep,
    keyOf: (state) => `${state.version} ${state.value}`,
    isPast: (state, call) => {
      // Versions only grow, and these calls fit one alone.
      const needed = versionBefore(call);
      return needed !== undefined && state.version > needed;
    },
    isSpare: (call) => call.kind === "write" && call.value === unseen,
  };
  return checkLinearizable(settled(operations), model, options);
}

/** Stands for the value of every write without an answer that no read has seen. */
const unseen = "\0";

/**
 * What reads tell of writes without an answer: a write whose value was seen was done at the version where it was seen;
 * those of which nothing was seen differ in nothing. Without it each gap could be filled by each of them.
 */
function settled(
  operations: readonly Operation<RegisterCall>[],
): readonly Operation<RegisterCall>[] {
  const seen = new Map<string, number>();
  for (const { call } of operations) {
    if (call.kind === "read") seen.set(call.value, call.version);
  }
  return operations.map((operation) => {
    const { call } = operation;
    if (operation.end !== Number.POSITIVE_INFINITY || call.kind === "read") return operation;
    const version = seen.get(call.value);
    if (version === undefined) return { ...operation, call: { ...call, value: unseen } };
    if (call.kind === "write") return { ...operation, call: { ...call, version } };
    return { ...operation, call: { ...call, isDone: true } };
  });
}

/** The state after a call, or undefined when its answer is wrong in this state. */
export function registerStep(state: RegisterState, call: RegisterCall): RegisterState | undefined {
  const { version } = state;
  switch (call.kind) {
    case "read":
      return call.version === version && call.value === state.value ? state : undefined;
    case "write":
      if (call.version !== undefined && call.version !== version + 1) return undefined;
      return { value: call.value, version: version + 1 };
    case "compareAndSet":
      if (call.isDone === false) return version === call.expected ? undefined : state;
      return version === call.expected ? { value: call.value, version: version + 1 } : undefined;
  }
}

function versionBefore(call: RegisterCall): number | undefined {
  switch (call.kind) {
    case "read":
      return call.version;
    case "write":
      return call.version === undefined ? undefined : call.version - 1;
    case "compareAndSet":
      return call.isDone === true ? call.expected : undefined;
  }
}
