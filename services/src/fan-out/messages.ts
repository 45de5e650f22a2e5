import { z } from "zod";
import type { PartTask } from "../../../query/src/engine/fragment.ts";
import type { Part } from "../../../query/src/source.ts";

/** What nodes ask each other for a query. A node's answers are as safe as its disks are: the peer proved the cluster's secret. */
export const methods = {
  open: "query.open",
  /** A stream: the answer in pieces, as `v8.serialize` wrote it. */
  fragment: "query.fragment",
  release: "query.release",
} as const;

const moment = z.object({ ms: z.number(), ns: z.number() });

export const openSchema = z.object({
  /** Drawn by the asking node. */
  cut: z.string().max(64),
  tenant: z.string().max(256),
  range: z.object({ from: moment, to: moment }),
  shards: z.array(z.int().nonnegative()).max(65_536),
  /** What is left until the query's deadline, in milliseconds: clocks need not agree. */
  leftMs: z.number().positive(),
});
export type OpenMessage = z.infer<typeof openSchema>;

/** A part of another node's cut: all but where it lies there. */
export type RemotePart = Pick<Part, "timeMin" | "timeMax" | "rows" | "bytes" | "internal"> & {
  readonly shard: number;
  readonly positionThrough: number;
};

export interface OpenedMessage {
  readonly parts: readonly RemotePart[];
  readonly missing: readonly string[];
  /** Shards that this node does not serve; their parts are what is sealed. */
  readonly elsewhere: readonly number[];
}

/**
 * The plan lies in the message's bytes: a `PlanMessage` without its memory shared with threads, as `v8.serialize` writes it. It is left out
 * once the node is known to have it.
 */
export const fragmentSchema = z.object({
  cut: z.string().max(64),
  planId: z.string().max(64),
  part: z.int().nonnegative(),
  task: z.custom<Omit<PartTask, "part">>((value) => typeof value === "object" && value !== null),
});
export type FragmentAsked = z.infer<typeof fragmentSchema>;

export const releaseSchema = z.object({ cut: z.string().max(64) });
