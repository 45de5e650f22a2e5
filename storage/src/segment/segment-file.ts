import type { Block } from "../../../kit/src/block.ts";
import { momentCompare } from "../../../kit/src/time.ts";
import { BlockEncoder } from "../format/block-encoder.ts";
import {
  type BlockMeta,
  type Footer,
  fileHeader,
  type PartitionMeta,
  printFooter,
} from "../format/footer.ts";
import type { RowSet } from "../format/row-order.ts";
import { NewFile } from "./new-file.ts";
import type { SegmentBlock } from "./segment-block.ts";

/** What identifies a segment; see `Footer`. */
export interface SegmentIdentity {
  readonly uuid: string;
  readonly shard: number;
  readonly epoch: number;
  readonly level: number;
  readonly positionFrom: number;
  readonly positionThrough: number;
  readonly replaces: readonly string[];
}

/** A segment file as it was written. */
export interface SegmentFile {
  readonly bytes: number;
  readonly rows: number;
  /** One for each tenant, class and kind of stream in it. */
  readonly partitions: readonly PartitionMeta[];
}

/** Whose records a block holds. */
export interface BlockOwner {
  readonly tenant: string;
  readonly class: string;
  readonly internal: boolean;
  readonly day: number;
  readonly receiptMsMax: number;
}

/** One for file after file: a block is encoded whole before the next, and what that takes is worth keeping. */
const encoder = new BlockEncoder();

/** Writes one segment file, block by block; afterwards it is `finish`ed or `abandon`ed. */
export class SegmentFileWriter {
  readonly #identity: SegmentIdentity;
  readonly #zstdLevel: number;
  readonly #file: NewFile;
  readonly #partitions: PartitionMeta[] = [];
  readonly #blocks: BlockMeta[] = [];

  constructor(path: string, identity: SegmentIdentity, zstdLevel: number) {
    this.#identity = identity;
    this.#zstdLevel = zstdLevel;
    this.#file = new NewFile(path);
    this.#file.append(fileHeader());
  }

  /** Writes rows, sorted by time, as one block. */
  addBlock(owner: BlockOwner, sources: readonly Block[], rows: RowSet): void {
    const block = encoder.encode(rows, sources, this.#zstdLevel);
    this.#blocks.push({
      partition: this.#partitionOf(owner, block),
      day: owner.day,
      rowCount: block.rowCount,
      timeMin: block.timeMin,
      timeMax: block.timeMax,
      positionMin: block.positionMin,
      positionMax: block.positionMax,
      at: this.#file.length,
      byteLength: block.byteLength,
      rawBytes: block.rawBytes,
      header: block.header,
    });
    for (const chunk of block.chunks) this.#file.append(chunk);
  }

  /** Copies a block of a file of the same format. */
  copyBlock(owner: BlockOwner, block: SegmentBlock): void {
    this.#blocks.push({
      ...block.meta,
      partition: this.#partitionOf(owner, block),
      at: this.#file.length,
    });
    this.#file.append(block.stored());
  }

  finish(): SegmentFile {
    const footer: Footer = {
      ...this.#identity,
      partitions: this.#partitions,
      blocks: this.#blocks,
    };
    this.#file.append(printFooter(footer));
    this.#file.finish();
    return {
      bytes: this.#file.length,
      rows: this.#blocks.reduce((sum, block) => sum + block.rowCount, 0),
      partitions: this.#partitions,
    };
  }

  abandon(): void {
    this.#file.abandon();
  }

  #partitionOf(
    owner: BlockOwner,
    block: Pick<BlockMeta, "rowCount" | "timeMin" | "timeMax">,
  ): number {
    const added: PartitionMeta = {
      tenant: owner.tenant,
      class: owner.class,
      internal: owner.internal,
      rows: block.rowCount,
      timeMin: block.timeMin,
      timeMax: block.timeMax,
      receiptMsMax: owner.receiptMsMax,
    };
    const known = this.#partitions.findIndex(
      (each) =>
        each.tenant === owner.tenant &&
        each.class === owner.class &&
        each.internal === owner.internal,
    );
    if (known < 0) return this.#partitions.push(added) - 1;
    this.#partitions[known] = joined(this.#partitions[known]!, added);
    return known;
  }
}

function joined(a: PartitionMeta, b: PartitionMeta): PartitionMeta {
  return {
    ...a,
    rows: a.rows + b.rows,
    timeMin: momentCompare(a.timeMin, b.timeMin) <= 0 ? a.timeMin : b.timeMin,
    timeMax: momentCompare(a.timeMax, b.timeMax) >= 0 ? a.timeMax : b.timeMax,
    receiptMsMax: Math.max(a.receiptMsMax, b.receiptMsMax),
  };
}
