import type { MultiOp, MultiResult } from "../wire/multi.ts";
import type { Stat } from "../wire/records.ts";
import { errorCodeOf, ZooKeeperError } from "./errors.ts";
import { type Chroot, checkPath } from "./paths.ts";

/** One read of a multiRead; made by `reads`. */
export type ReadStep = Extract<MultiOp, { readonly op: "getData" | "getChildren" }>;

/** What one read of a multiRead found. The names of children come without a Stat. */
export type ReadResult =
  | { readonly kind: "data"; readonly data: Buffer | null; readonly stat: Stat }
  | { readonly kind: "children"; readonly children: readonly string[] }
  | { readonly kind: "error"; readonly error: ZooKeeperError };

/** Makes the reads of a multiRead. */
export const reads = {
  data: (path: string): ReadStep => ({ op: "getData", path, watch: false }),
  children: (path: string): ReadStep => ({ op: "getChildren", path, watch: false }),
} as const;

/** The read as the server is asked. Throws BADARGUMENTS for a path. */
export function readOuter(step: ReadStep, chroot: Chroot): ReadStep {
  checkPath(step.path);
  return { ...step, path: chroot.outer(step.path) };
}

export function readInner(result: MultiResult, asked: ReadStep | undefined): ReadResult {
  switch (result.op) {
    case "getData": {
      const { data, stat } = result;
      return { kind: "data", data: data === null ? null : Buffer.from(data), stat };
    }
    case "getChildren":
      return { kind: "children", children: result.children };
    case "error": {
      const at = asked === undefined ? {} : { path: asked.path };
      return { kind: "error", error: new ZooKeeperError(errorCodeOf(result.error), at) };
    }
    default:
      throw new ZooKeeperError("MARSHALLINGERROR");
  }
}
