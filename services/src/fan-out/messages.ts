import { z } from "zod";
import type { PartTask } from "../../../query/src/engine/fragment.ts";
import type { Deletion, Part } from "../../../query/src/source.ts";
import type { SealedPart } from "../../../storage/src/shard/sealed-parts.ts";
import { sealedPartsMax } from "./limits.ts";

/** What nodes ask each other for a query. A node's answers are as safe as its disks are: the peer proved the cluster's secret. */
export const methods = {
  open: "query.open",
  /** Opens copies of sealed files, whoever owns their shards. */
  openSealed: "query.open-sealed",
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
  /** Which file it lies in; undefined for a part in memory, and for one of which more is deleted than is told. */
  readonly sealed?: Pick<SealedPart, "file" | "fileBytes" | "uuid" | "class" | "deletions">;
};

export interface OpenedMessage {
  readonly parts: readonly RemotePart[];
  readonly missing: readonly string[];
  /** Shards that this node does not serve; their parts are what is sealed. */
  readonly elsewhere: readonly number[];
  /** The tenant's deletes that may hide records of any shard; undefined where no shard is served, or where they are too many. */
  readonly deletions?: readonly Deletion[] | undefined;
}

/** The parts lie in the message's bytes: a list of `SealedPart`, as `v8.serialize` writes it. */
export const openSealedSchema = z.object({
  cut: z.string().max(64),
  leftMs: z.number().positive(),
});
export type OpenSealedMessage = z.infer<typeof openSealedSchema>;

/** What of a part leads to a file is checked; the rest goes where parts of a plan's task go. */
export const sealedPartsSchema = z
  .array(
    z.looseObject({
      shard: z.int().nonnegative(),
      // No name that could lead out of the shard's folder.
      file: z.string().regex(/^[0-9a-f-]{1,128}$/),
      fileBytes: z.int().nonnegative(),
      uuid: z.string().max(64),
    }),
  )
  .max(sealedPartsMax);

/** In bytes, as `OpenedMessage`: of which of the parts the node has whole copies; they are the parts of the cut, in that order. */
export interface OpenedSealedMessage {
  readonly held: readonly number[];
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
