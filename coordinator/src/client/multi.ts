import { createModes, versionAny } from "../wire/constants.ts";
import type { MultiOp, MultiResult } from "../wire/multi.ts";
import type { Acl, Stat } from "../wire/records.ts";
import { aclOpen } from "./acl.ts";
import { errorCodeOf, ZooKeeperError } from "./errors.ts";
import { type Chroot, checkPath } from "./paths.ts";

/** One operation of a multi; made by `steps`. */
export type MultiStep = Exclude<MultiOp, { readonly op: "getData" | "getChildren" }>;

/** What became of one operation. */
export interface StepResult {
  /** Of what was created. */
  readonly path: string | undefined;
  /** Of what was created or set. */
  readonly stat: Stat | undefined;
}

/** Makes the operations of a multi. */
export const steps = {
  create(
    path: string,
    data: Uint8Array | null = null,
    options: {
      readonly mode?: keyof typeof createModes;
      readonly acl?: readonly Acl[];
      /** For the modes with a TTL. */
      readonly ttlMs?: number;
    } = {},
  ): MultiStep {
    const { mode = "persistent", acl = aclOpen, ttlMs } = options;
    if (ttlMs !== undefined) {
      return { op: "createTTL", path, data, acl, flags: createModes[mode], ttlMs: BigInt(ttlMs) };
    }
    const op = mode === "container" ? "createContainer" : "create2";
    return { op, path, data, acl, flags: createModes[mode] };
  },
  delete: (path: string, version: number = versionAny): MultiStep => ({
    op: "delete",
    path,
    version,
  }),
  check: (path: string, version: number): MultiStep => ({ op: "check", path, version }),
  setData: (path: string, data: Uint8Array | null, version: number = versionAny): MultiStep => ({
    op: "setData",
    path,
    data,
    version,
  }),
} as const;

/** The step as the server is asked. Throws BADARGUMENTS for a path. */
export function stepOuter(step: MultiStep, chroot: Chroot): MultiStep {
  checkPath(step.path, { isSequential: "flags" in step && isSequential(step.flags) });
  return { ...step, path: chroot.outer(step.path) };
}

export function stepInner(result: MultiResult, chroot: Chroot): StepResult {
  const path = "path" in result ? chroot.inner(result.path) : undefined;
  return { path, stat: "stat" in result ? result.stat : undefined };
}

/** The error of the operation that made a multi fail; undefined when it did not. */
export function multiFailure(
  results: readonly MultiResult[],
  asked: readonly MultiStep[],
): ZooKeeperError | undefined {
  // Before the culprit stand zeros, behind it RUNTIMEINCONSISTENCY.
  const index = results.findIndex((result) => result.op === "error" && result.error !== 0);
  const culprit = results[index];
  if (culprit?.op !== "error") return undefined;
  const path = asked[index]?.path;
  return new ZooKeeperError(errorCodeOf(culprit.error), {
    ...(path === undefined ? {} : { path }),
    index,
  });
}

const sequential: readonly number[] = [
  createModes.persistentSequential,
  createModes.ephemeralSequential,
  createModes.persistentSequentialWithTtl,
];

function isSequential(flags: number): boolean {
  return sequential.includes(flags);
}
