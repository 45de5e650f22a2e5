import {
  type BlockPlace,
  type Documents,
  makeDocuments,
} from "../../../adapters/src/elasticsearch/document.ts";
import { bulkItemsMax } from "../../../adapters/src/elasticsearch/limits.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { Deletions } from "../../../query/src/engine/deletions.ts";
import { RowSet } from "../../../query/src/filter/row-set.ts";
import type { Deletion } from "../../../query/src/source.ts";
import { View } from "../../../query/src/table/view.ts";
import { BlockCache } from "../../../storage/src/segment/block-cache.ts";
import { openSegment, type Segment } from "../../../storage/src/segment/reader.ts";
import { cacheBytes, idleMsMax } from "./limits.ts";

/** Asks a worker for the next documents of one tenant and class in a segment. Plain data. */
export interface DocumentsJob {
  readonly path: string;
  readonly uuid: string;
  readonly damagedBlocks: readonly number[];
  /** Records that they hide are not sent. */
  readonly deletions: readonly Deletion[];
  readonly cluster: string;
  readonly shard: number;
  readonly tenant: string;
  readonly class: string;
  readonly prefix: string;
  /** Only records of entries behind this position. */
  readonly after: number;
  readonly from: BlockPlace;
  readonly bytesMax: number;
}

export type DocumentsFound =
  | { readonly kind: "documents"; readonly documents: Documents }
  /** Without a block, of the whole file. Whoever asked leaves it out, and begins with the segment anew. */
  | { readonly kind: "damaged"; readonly block: number | undefined; readonly reason: string };

/** Makes documents in a worker. Holds one segment open: a mirror reads one after the other. */
export class DocumentsReader {
  readonly #cache = new BlockCache(cacheBytes);
  readonly #deletions = new Deletions();
  #opened: { readonly uuid: string; readonly segment: Segment; usedMs: number } | undefined;

  run(job: DocumentsJob): DocumentsFound {
    try {
      return { kind: "documents", documents: this.#documents(job) };
    } catch (thrown) {
      if (!(thrown instanceof ServiceError) || thrown.code !== "storage.damaged") throw thrown;
      const { block } = thrown.fields;
      const reason = thrown.message;
      return { kind: "damaged", block: typeof block === "number" ? block : undefined, reason };
    }
  }

  /** Closes what was not asked for in a while, so that a deleted file frees its disk. */
  closeIdle(): void {
    if (this.#opened === undefined || performance.now() - this.#opened.usedMs < idleMsMax) return;
    this.#close();
  }

  #documents(job: DocumentsJob): Documents {
    const segment = this.#segment(job);
    const without = new Set(job.damagedBlocks);
    const blocks = [...segment.blocks({ tenant: job.tenant, without })].filter((block) => {
      const partition = segment.partitionOf(block);
      return partition.class === job.class && !partition.internal;
    });
    const bounds = { bytesMax: job.bytesMax, itemsMax: bulkItemsMax };
    const { deletions } = job;
    if (deletions.length === 0) return makeDocuments(blocks, job.from, job, bounds);
    const keep = (at: number): RowSet => {
      const block = blocks[at]!;
      const rows = new RowSet(block.rowCount);
      this.#deletions.hide(View.records(block), rows, deletions);
      return rows;
    };
    return makeDocuments(blocks, job.from, { ...job, keep }, bounds);
  }

  #segment({ path, uuid }: DocumentsJob): Segment {
    if (this.#opened?.uuid !== uuid) {
      this.#close();
      this.#opened = { uuid, segment: openSegment(path, this.#cache), usedMs: 0 };
    }
    this.#opened.usedMs = performance.now();
    return this.#opened.segment;
  }

  #close(): void {
    this.#opened?.segment.close();
    this.#opened = undefined;
  }
}
