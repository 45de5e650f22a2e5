import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { childPath } from "../../coordinator/src/client/paths.ts";
import { assert } from "../../kit/src/assert.ts";
import type { SegmentEntry } from "../../storage/src/shard/manifest.ts";
import type { FoldFiles } from "./fold-files.ts";
import type { ZnodeFolds } from "./folds.ts";
import { paths } from "./paths.ts";
import { decodeZnode, type SegmentsState, segmentSchema, segmentsSchema } from "./znode-data.ts";

/** An entry and the znode it lies in; undefined: folded. */
export interface PlacedEntry {
  readonly entry: SegmentEntry;
  readonly path: string | undefined;
}

/** The manifest of a shard as it lies in znodes and in its fold. */
export interface ShardEntries {
  readonly state: SegmentsState;
  /** Of `/logkeep/segments/<id>`. */
  readonly version: number;
  /** The fold is a file on this disk, which no other node finds. */
  readonly hasFoldFile: boolean;
  /** By uuid, in commit order. */
  readonly placed: ReadonlyMap<string, PlacedEntry>;
}

/** Znodes of entries read at a time. */
const readsInFlight = 500;

/**
 * Reads a shard's manifest as one state. What is read piece by piece may change meanwhile, so the version of
 * `/logkeep/segments/<id>`, which every change moves, is compared before and after; NONODE is left to the caller.
 */
export async function readEntries(
  client: ZooKeeperClient,
  { folds, files }: { readonly folds: ZnodeFolds; readonly files: FoldFiles },
  shard: number,
): Promise<ShardEntries> {
  const path = paths.shardSegments(shard);
  for (;;) {
    const [{ data, stat }, { children }] = await Promise.all([
      client.getData(path),
      client.getChildren(path),
    ]);
    const state = decodeZnode(segmentsSchema, path, data);
    const entries = await readZnodes(
      client,
      children.map((name) => childPath(path, name)),
    );
    const { folded: name } = state;
    const folded = name === null ? [] : await folds.read(shard, name);
    const after = await client.exists(path);
    if (entries === undefined || after?.version !== stat.version) continue;
    const hasFoldFile = name !== null && folded === undefined;
    const placed = new Map<string, PlacedEntry>();
    for (const entry of hasFoldFile ? await files.read(shard, name) : (folded ?? []))
      placed.set(entry.uuid, { entry, path: undefined });
    for (const { entry, path: at } of entries) placed.set(entry.uuid, { entry, path: at });
    return { state, version: stat.version, hasFoldFile, placed };
  }
}

/** In the order in which they were created; undefined when one has gone meanwhile. */
async function readZnodes(
  client: ZooKeeperClient,
  all: readonly string[],
): Promise<readonly { readonly entry: SegmentEntry; readonly path: string }[] | undefined> {
  const found: { readonly entry: SegmentEntry; readonly path: string; readonly zxid: bigint }[] =
    [];
  for (let at = 0; at < all.length; at += readsInFlight) {
    const some = all.slice(at, at + readsInFlight);
    const replies = await Promise.allSettled(some.map((path) => client.getData(path)));
    for (const [index, reply] of replies.entries()) {
      if (reply.status === "rejected") {
        if ((reply.reason as { code?: unknown }).code === "NONODE") return undefined;
        throw reply.reason;
      }
      const path = some[index] as string;
      const entry = decodeZnode(segmentSchema, path, reply.value.data);
      found.push({ entry, path, zxid: reply.value.stat.czxid });
    }
  }
  // Sequence numbers order nothing; entries of one multi share their zxid and keep the order of their names.
  return found.sort((a, b) => (a.zxid === b.zxid ? order(a.path, b.path) : order(a.zxid, b.zxid)));
}

function order<T extends string | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether a segment was committed: it is listed, or what is listed replaced it. */
export function isCommitted(entries: ShardEntries, uuid: string): boolean {
  if (entries.placed.has(uuid)) return true;
  for (const { entry } of entries.placed.values()) if (entry.replaces.includes(uuid)) return true;
  return false;
}

/** How many entries lie in znodes. */
export function znodeCount(entries: ShardEntries): number {
  let count = 0;
  for (const { path } of entries.placed.values()) if (path !== undefined) count++;
  return count;
}

/** The entries after a change that was committed. */
export function changed(
  before: ShardEntries,
  change: {
    readonly state: SegmentsState;
    readonly version: number;
    readonly removed: readonly string[];
    readonly added: readonly PlacedEntry[];
  },
): ShardEntries {
  const placed = new Map(before.placed);
  for (const uuid of change.removed) {
    assert(placed.delete(uuid), "what is removed was listed");
  }
  for (const each of change.added) placed.set(each.entry.uuid, each);
  const hasFoldFile = before.hasFoldFile && change.state.folded === before.state.folded;
  return { state: change.state, version: change.version, hasFoldFile, placed };
}
