import { z } from "zod";
import type { TailChunk, TailPlan } from "../../../query/src/tail/tail-plan.ts";

/** A stream: what matches at a node as it is committed there, from a moment on. */
export const tailMethod = "tail.follow";

/** The plan lies in the message's bytes, as `v8.serialize` writes it. */
export const followSchema = z.object({ tenant: z.string().max(256) });

export type FollowedPlan = Omit<TailPlan, "id">;

/** The first item: up to where each shard that this node serves had come when it began to be followed. */
export interface FollowBegins {
  readonly positions: readonly (readonly [shard: number, position: number])[];
}

/** An entry of a shard that was passed, with what matched; in the order of the shard's log. Serialised in the item's bytes. */
export interface FollowedEntry {
  readonly shard: number;
  readonly position: number;
  readonly chunk: TailChunk | undefined;
}
