import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { type MultiStep, steps } from "../../coordinator/src/client/multi.ts";
import { assert } from "../../kit/src/assert.ts";
import { messageOf } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type {
  DropCommit,
  Manifest,
  ManifestOutcome,
  MergeCommit,
  SealCommit,
  SegmentEntry,
  ShardManifest,
} from "../../storage/src/shard/manifest.ts";
import type { Access } from "./access.ts";
import type { Acquisitions } from "./acquisitions.ts";
import type { FoldFiles } from "./fold-files.ts";
import type { ZnodeFolds } from "./folds.ts";
import { entriesMax, multiBytesMax, retryMs } from "./limits.ts";
import { paths } from "./paths.ts";
import { failureOf, isPassing, settle } from "./settle.ts";
import {
  changed,
  isCommitted,
  type PlacedEntry,
  readEntries,
  type ShardEntries,
  znodeCount,
} from "./shard-entries.ts";
import { barrierWrite } from "./tree.ts";
import {
  decodeZnode,
  encodeZnode,
  type SegmentsState,
  type ShardState,
  shardSchema,
} from "./znode-data.ts";

export interface ManifestOptions {
  readonly client: ZooKeeperClient;
  readonly access: Access;
  readonly nodeId: number;
  /** The owner that commits: `nodeId/diskId/incarnation`. */
  readonly self: string;
  readonly shards: number;
  readonly acquisitions: Acquisitions;
  readonly folds: ZnodeFolds;
  readonly files: FoldFiles;
  readonly logger: Logger;
}

/** A change as it is to be made on the entries that are there. */
interface Change {
  readonly shard: number;
  readonly epoch: number;
  readonly removed: readonly string[];
  readonly added: readonly SegmentEntry[];
  readonly state: (before: SegmentsState) => SegmentsState;
  /** Whether entries show that it was made. */
  readonly isMade: (entries: ShardEntries) => boolean;
}

/**
 * The manifest as znodes. Each change is one multi that checks the version which `/logkeep/shards/<id>` has since this
 * process acquired it, and moves `/logkeep/segments/<id>`. One queue a shard, one change in flight.
 */
export class ZnodeManifest implements Manifest {
  readonly #options: ManifestOptions;
  readonly #entries = new Map<number, ShardEntries>();
  readonly #queues = new Map<number, Promise<unknown>>();

  constructor(options: ManifestOptions) {
    this.#options = options;
  }

  load(shard: number): Promise<ShardManifest> {
    return this.#queued(shard, async () => {
      const entries = await this.#read(shard);
      const held = this.#options.acquisitions.get(shard);
      // This is the acquirer's session, so no change of an earlier owner can name another fold any more.
      await this.#keepFold(shard, held?.version, entries.state.folded);
      // Another owner would not find it.
      if (entries.hasFoldFile) await this.#fold(shard, held?.epoch, entries);
      return manifestOf(entries);
    });
  }

  /**
   * What is sealed of a shard that another node owns, or nobody, as one state that there was; undefined for one that was not made yet. Throws
   * what the coordinator says.
   */
  async look(shard: number): Promise<ShardManifest | undefined> {
    try {
      return manifestOf(await readEntries(this.#options.client, this.#options, shard));
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NONODE")) return undefined;
      throw thrown;
    }
  }

  commitSeal(commit: SealCommit): Promise<ManifestOutcome> {
    const { shard, epoch, sealedThrough, checkpoint, segments } = commit;
    return this.#commit({
      shard,
      epoch,
      removed: [],
      added: segments,
      state: (before) => ({ ...before, sealedThrough, checkpoint }),
      // The checkpoint's name is unique, but a later seal may stand over it; so the segments speak, if any.
      isMade: (entries) =>
        segments.length > 0
          ? segments.every(({ uuid }) => isCommitted(entries, uuid))
          : entries.state.sealedThrough.position >= sealedThrough.position,
    });
  }

  commitMerge({ shard, epoch, inputs, output }: MergeCommit): Promise<ManifestOutcome> {
    return this.#commit({
      shard,
      epoch,
      removed: inputs,
      added: [output],
      state: (before) => before,
      isMade: (entries) => isCommitted(entries, output.uuid),
    });
  }

  commitDrop({ shard, epoch, uuids }: DropCommit): Promise<ManifestOutcome> {
    return this.#commit({
      shard,
      epoch,
      removed: uuids,
      added: [],
      state: (before) => before,
      isMade: (entries) => uuids.every((uuid) => !entries.placed.has(uuid)),
    });
  }

  #commit(change: Change): Promise<ManifestOutcome> {
    return this.#queued(change.shard, async () => {
      const outcome = await this.#settle(change);
      const after = this.#entries.get(change.shard);
      if (outcome.kind === "committed" && after !== undefined) {
        const isLong = znodeCount(after) > entriesMax(this.#options.shards);
        if (isLong) await this.#fold(change.shard, change.epoch, after);
      }
      return outcome;
    });
  }

  async #settle(change: Change): Promise<ManifestOutcome> {
    const { shard, epoch } = change;
    for (;;) {
      try {
        const before = this.#entries.get(shard) ?? (await this.#read(shard));
        const after = await this.#apply(change, before);
        this.#entries.set(shard, after);
        return { kind: "committed", generation: after.state.generation };
      } catch (thrown) {
        await this.#pauseAfter(thrown, shard);
        const outcome = await this.#readBack(change);
        if (outcome !== undefined) return outcome;
        this.#options.logger.info(
          { shard, epoch, reason: messageOf(thrown) },
          "manifest change is tried again",
        );
      }
    }
  }

  /** The one multi. Throws what the coordinator says. */
  async #apply(change: Change, before: ShardEntries): Promise<ShardEntries> {
    const { client, access, acquisitions } = this.#options;
    const { shard, epoch, removed, added } = change;
    const held = acquisitions.get(shard);
    const version = held?.epoch === epoch ? held.version : await this.#ownVersion(shard, epoch);
    const gone = removed.map((uuid) => before.placed.get(uuid) as PlacedEntry);
    assert(!gone.includes(undefined as never), "what is removed is listed");
    const folded = await this.#refold(shard, epoch, before, new Set(removed));
    const next = change.state(before.state);
    const state = { ...next, generation: before.state.generation + 1, folded };
    const creates = added.map((entry) =>
      steps.create(paths.segmentPrefix(shard), encodeZnode(entry), {
        mode: "persistentSequential",
        acl: access.acl,
      }),
    );
    const results = await client.multi(
      bounded([
        steps.check(paths.shard(shard), version),
        ...gone.flatMap(({ path }) => (path === undefined ? [] : [steps.delete(path)])),
        ...creates,
        steps.setData(paths.shardSegments(shard), encodeZnode(state), before.version),
      ]),
    );
    if (folded !== before.state.folded) await this.#keepFold(shard, version, folded);
    const created = results.slice(results.length - 1 - added.length, -1);
    return changed(before, {
      state,
      version: before.version + 1,
      removed,
      added: added.map((entry, index) => ({ entry, path: created[index]?.path })),
    });
  }

  /** The fold without what is removed: another one, since they never change. */
  async #refold(
    shard: number,
    epoch: number,
    before: ShardEntries,
    removed: ReadonlySet<string>,
  ): Promise<string | null> {
    const folded = [...before.placed.values()].filter(({ path }) => path === undefined);
    const kept = folded.filter(({ entry }) => !removed.has(entry.uuid));
    if (kept.length === folded.length) return before.state.folded;
    if (kept.length === 0) return null;
    return this.#writeFold(shard, epoch, kept);
  }

  async #writeFold(shard: number, epoch: number, kept: readonly PlacedEntry[]): Promise<string> {
    const name = `${epoch}-${randomUUID()}`;
    const entries = kept.map(({ entry }) => entry);
    await this.#options.folds.write(shard, name, entries);
    return name;
  }

  /** Packs all entries into a few znodes. What they are does not change, nor does the generation. */
  async #fold(shard: number, epoch: number | undefined, before: ShardEntries): Promise<void> {
    const { client, acquisitions, logger } = this.#options;
    const held = acquisitions.get(shard);
    if (held === undefined || held.epoch !== epoch) return;
    const all = [...before.placed.values()];
    try {
      const folded = await this.#writeFold(shard, epoch, all);
      const state = { ...before.state, folded };
      await client.multi([
        steps.check(paths.shard(shard), held.version),
        ...all.flatMap(({ path }) => (path === undefined ? [] : [steps.delete(path)])),
        steps.setData(paths.shardSegments(shard), encodeZnode(state), before.version),
      ]);
      const placed = new Map(
        all.map(({ entry }) => [entry.uuid, { entry, path: undefined }] as const),
      );
      const version = before.version + 1;
      this.#entries.set(shard, { state, version, hasFoldFile: false, placed });
      await this.#keepFold(shard, held.version, folded);
    } catch (thrown) {
      // Nothing depends on it: the next change reads what is there and folds again.
      this.#entries.delete(shard);
      logger.warn({ shard, err: thrown }, "manifest could not be folded");
    }
  }

  /** Takes other folds away; what is left by a failure goes with the next change. */
  async #keepFold(shard: number, version: number | undefined, name: string | null): Promise<void> {
    const { folds, files, logger } = this.#options;
    try {
      await files.keepOnly(shard, name);
      if (version !== undefined) await folds.keepOnly(shard, name, version);
    } catch (thrown) {
      logger.info({ shard, reason: messageOf(thrown) }, "folds that nothing names are still there");
    }
  }

  /** What became of a change that did not succeed plainly. Undefined: it was not made, and may be tried again. */
  async #readBack(change: Change): Promise<ManifestOutcome | undefined> {
    const { client, nodeId } = this.#options;
    const { shard, epoch } = change;
    const { state, version } = await settle(async () => {
      const [, found] = await Promise.all([
        barrierWrite(client, nodeId),
        client.getData(paths.shard(shard)),
      ]);
      const decoded = decodeZnode(shardSchema, paths.shard(shard), found.data);
      return { state: decoded, version: found.stat.version };
    });
    const entries = await this.#read(shard);
    const isOwn = this.#isOwn(state, epoch);
    if (change.isMade(entries)) {
      if (isOwn) this.#hold(shard, epoch, version);
      return { kind: "committed", generation: entries.state.generation };
    }
    if (!isOwn) return { kind: "deposed", epoch: state.epoch };
    this.#hold(shard, epoch, version);
    return undefined;
  }

  /** The version to check, when the acquisition is not remembered; a session may have expired since. */
  async #ownVersion(shard: number, epoch: number): Promise<number> {
    const { data, stat } = await settle(() => this.#options.client.getData(paths.shard(shard)));
    const state = decodeZnode(shardSchema, paths.shard(shard), data);
    // A version that cannot be makes the multi fail, and reading back says who owns it.
    return this.#isOwn(state, epoch) ? stat.version : 0x7fffffff;
  }

  #isOwn(state: ShardState, epoch: number): boolean {
    return state.owner === this.#options.self && state.epoch === epoch;
  }

  /** A change of the in-sync set moves the version; the acquisition stays ours. */
  #hold(shard: number, epoch: number, version: number): void {
    const { acquisitions } = this.#options;
    if (acquisitions.get(shard)?.epoch === epoch) acquisitions.set(shard, { epoch, version });
  }

  async #read(shard: number): Promise<ShardEntries> {
    const { client } = this.#options;
    const entries = await settle(() => readEntries(client, this.#options, shard));
    this.#entries.set(shard, entries);
    return entries;
  }

  /** Rejects when the cluster is closed; waits when the failure is none that reading back explains. */
  async #pauseAfter(thrown: unknown, shard: number): Promise<void> {
    const { client, logger } = this.#options;
    if (isPassing(thrown) || isZooKeeperError(thrown, "BADVERSION", "NONODE")) return;
    if (!isZooKeeperError(thrown) || thrown.code === "CLOSED") throw failureOf(thrown);
    logger.error({ shard, err: thrown }, "manifest change failed");
    await sleep(retryMs);
    await client.connected().catch((closed: unknown) => {
      throw failureOf(closed);
    });
  }

  #queued<T>(shard: number, deed: () => Promise<T>): Promise<T> {
    const turn = (this.#queues.get(shard) ?? Promise.resolve()).then(deed, deed);
    this.#queues.set(
      shard,
      turn.catch(() => undefined),
    );
    return turn;
  }
}

function manifestOf({ state, placed }: ShardEntries): ShardManifest {
  const { generation, sealedThrough, checkpoint } = state;
  const segments = [...placed.values()].map(({ entry }) => entry);
  return { generation, sealedThrough, checkpoint: checkpoint ?? undefined, segments };
}

function bounded(all: readonly MultiStep[]): readonly MultiStep[] {
  const bytes = all.reduce((sum, step) => sum + ("data" in step ? (step.data?.length ?? 0) : 0), 0);
  assert(bytes <= multiBytesMax, `a manifest change of ${bytes} bytes is too large`);
  return all;
}
