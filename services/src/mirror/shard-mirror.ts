import type { BlockPlace } from "../../../adapters/src/elasticsearch/document.ts";
import type { ElasticsearchMirror } from "../../../adapters/src/elasticsearch/mirror.ts";
import { crashPoint } from "../../../kit/src/crash-point.ts";
import type { SegmentEntry } from "../../../storage/src/shard/manifest.ts";
import type { PinnedSegment } from "../../../storage/src/shard/sealed.ts";
import type { DocumentsFound, DocumentsJob } from "./documents-job.ts";
import { addLag, lagOf, type MirrorLag, noLag } from "./lag.ts";
import type { MirrorOptions } from "./mirror.ts";
import { type MirrorProgress, noProgress } from "./progress.ts";

export interface ShardMirrorOptions extends MirrorOptions {
  readonly sink: ElasticsearchMirror;
  readonly shard: number;
}

/**
 * Mirrors one shard. The progress is a position: every sealed entry up to it is in Elasticsearch. Segments are sent
 * in the order in which they begin, records at or below the progress left out; it moves when everything before the
 * next segment is there. Merges in between change nothing: what was sent of their inputs is there already, under the
 * same ids.
 */
export class ShardMirror {
  readonly id: number;
  damagedBlocks = 0;
  readonly #options: ShardMirrorOptions;
  #progress: MirrorProgress = noProgress;
  #isTargetKnown = false;
  #epoch = 0;
  /** Segments that are sent and lie beyond the progress, by uuid. */
  #done = new Set<string>();

  constructor(options: ShardMirrorOptions) {
    this.#options = options;
    this.id = options.shard;
  }

  /** As this process knows it. */
  get progress(): MirrorProgress {
    return this.#progress;
  }

  isDone(uuid: string): boolean {
    return this.#done.has(uuid);
  }

  /** Whether there is anything to send, or it is not known yet: another cluster may answer than before. */
  mayHaveWork(): boolean {
    const sealed = this.#options.store.sealed(this.id);
    if (sealed === undefined || sealed.through === 0) return false;
    return !this.#isTargetKnown || sealed.through > this.progress.through;
  }

  lag(): MirrorLag {
    const segments = this.#options.store.sealed(this.id)?.segments ?? [];
    return segments
      .filter(({ uuid }) => !this.#done.has(uuid))
      .reduce((sum, entry) => addLag(sum, lagOf(entry, this.progress.through)), noLag);
  }

  /** Reads how far a former run came. */
  async load(): Promise<void> {
    this.#progress = await this.#options.progress.read(this.id);
  }

  /** Sends what is sealed, until nothing is left. Rejects with `TargetChanged`, and when a segment cannot be read. */
  async run(signal: AbortSignal): Promise<void> {
    if (!this.mayHaveWork()) return;
    await this.#catchUp();
    const target = await this.#options.sink.prepare(signal);
    if (this.progress.target !== target) this.#begin(target);
    this.#isTargetKnown = true;
    while (!signal.aborted) {
      const next = await this.#move(target);
      if (next === undefined) return;
      await this.#sendSegment(next, target, signal);
      this.#done.add(next.uuid);
    }
  }

  /** Whoever served the shard in between has moved its progress. */
  async #catchUp(): Promise<void> {
    const epoch = this.#options.store.sealed(this.id)?.epoch ?? 0;
    if (epoch === this.#epoch) return;
    await this.load();
    this.#epoch = epoch;
    this.#done.clear();
  }

  /** Another cluster gets all that there is. */
  #begin(target: string): void {
    const from = this.progress.target;
    const fields = { shard: this.id, from, to: target };
    if (from !== "") {
      this.#options.logger.info(fields, "another Elasticsearch, its mirror begins anew");
    }
    this.#progress = { through: 0, target };
    this.#done.clear();
  }

  /** Moves the progress as far as segments are sent; gives the next one, undefined when there is none. */
  async #move(target: string): Promise<SegmentEntry | undefined> {
    const sealed = this.#options.store.sealed(this.id);
    if (sealed === undefined) return undefined;
    const live = new Set(sealed.segments.map(({ uuid }) => uuid));
    this.#done = new Set([...this.#done].filter((uuid) => live.has(uuid)));
    const { through } = this.progress;
    const [next] = sealed.segments
      .filter(({ uuid, positionThrough }) => positionThrough > through && !this.#done.has(uuid))
      .sort((a, b) => a.positionFrom - b.positionFrom);
    const reached = Math.min(sealed.through, (next?.positionFrom ?? Number.POSITIVE_INFINITY) - 1);
    if (reached > through) {
      const moved = { through: reached, target };
      await this.#options.progress.write(this.id, moved);
      this.#progress = moved;
      crashPoint("mirror.moved");
    }
    return next;
  }

  async #sendSegment(entry: SegmentEntry, target: string, signal: AbortSignal): Promise<void> {
    const pinned = this.#options.store.pinSegment(this.id, entry.uuid);
    // Merged or dropped in this moment: the next look tells.
    if (pinned === undefined) return;
    try {
      const damaged = new Set(pinned.damagedBlocks);
      const partitions = entry.partitions.filter(({ internal }) => !internal);
      for (const { tenant, class: its } of partitions) {
        const part = { tenant, class: its };
        while (!(await this.#sendPart(pinned, part, damaged, target, signal)));
      }
    } finally {
      pinned.release();
    }
  }

  /** False when damage was met: the part is sent once more without it. */
  async #sendPart(
    { entry, path, tombstones }: PinnedSegment,
    part: { readonly tenant: string; readonly class: string },
    damaged: Set<number>,
    target: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { bulkMaxBytes, cluster, pool, prefix, sink } = this.#options;
    const deletions = tombstones.filter(({ tenant }) => tenant === part.tenant);
    let from: BlockPlace | undefined = { block: 0, row: 0 };
    while (from !== undefined) {
      signal.throwIfAborted();
      const job: DocumentsJob = {
        ...{ path, uuid: entry.uuid, damagedBlocks: [...damaged], deletions, ...part },
        ...{ cluster: cluster.id, shard: this.id, prefix },
        ...{ after: this.progress.through, from, bytesMax: bulkMaxBytes },
      };
      const found = await pool.run<DocumentsFound>("documents", job, { lane: "mirror", signal });
      if (found.kind === "damaged") return this.#setAside(entry, found, damaged);
      crashPoint("mirror.read");
      const { documents } = found;
      if (documents.offsets.length > 1) await sink.send(documents, target, signal);
      crashPoint("mirror.sent");
      from = documents.next;
    }
    return true;
  }

  /** Whether the part is over: a whole file that is damaged has nothing more. */
  #setAside(
    { uuid }: SegmentEntry,
    { block, reason }: DocumentsFound & { readonly kind: "damaged" },
    damaged: Set<number>,
  ): boolean {
    this.#options.store.reportDamage({ shard: this.id, uuid, block, reason });
    this.damagedBlocks++;
    if (block === undefined) return true;
    damaged.add(block);
    return false;
  }
}
