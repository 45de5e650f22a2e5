import { readdirSync } from "node:fs";
import type { StoreContext } from "../shard/context.ts";
import type { HeldSegments } from "./held-segments.ts";
import type { ReplicaHost } from "./replica-host.ts";
import { segmentFilePattern } from "./segment-files.ts";

/** Files of segments on a disk from which their shard is not served, and which its owner may count as gone. */
export interface KeptCopies {
  /** Undefined: in the trash, of whichever shard. */
  readonly shard: number | undefined;
  /** For how long each has been needed no more, in milliseconds; Infinity where that is not known. */
  readonly agesMs: readonly number[];
}

export interface KeptCopiesOptions {
  readonly context: StoreContext;
  readonly hosts: readonly ReplicaHost[];
  readonly held: readonly HeldSegments[];
  /** This replica, as `nodeId/diskId`. */
  readonly member: string;
}

/**
 * Copies that queries which began before may still read, what the trash has, and all files of shards whose set does not have this
 * replica: those were moved away, or are not yet known to be right.
 */
export function keptCopies({ context, hosts, held, member }: KeptCopiesOptions): KeptCopies[] {
  const { shards, paths, clock, retentionClock } = context;
  const others = shards.filter(({ state }) => state.kind !== "serving");
  const copies: KeptCopies[] = others.map(({ id }) => {
    const isMember = hosts[id]!.core.status.members.includes(member);
    if (isMember) return { shard: id, agesMs: held[id]!.putAwayMs };
    const files = readdirSync(paths.shard(id)).filter((file) => segmentFilePattern.test(file));
    return { shard: id, agesMs: files.map(() => Number.POSITIVE_INFINITY) };
  });
  const nowMs = retentionClock.nowMs() ?? clock.now();
  const agesMs = readdirSync(paths.trash).map((name) => nowMs - Number(name.split("-", 1)[0]));
  return [...copies, { shard: undefined, agesMs }].filter((each) => each.agesMs.length > 0);
}
