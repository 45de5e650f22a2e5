import type { Block } from "../../../kit/src/block.ts";
import { momentCompare } from "../../../kit/src/time.ts";
import { DocumentWriter, idPrefix, numberedId } from "./document-writer.ts";
import { indexDay, indexName } from "./index-name.ts";

/** Where records come from and which of them are wanted. */
export interface DocumentOptions {
  /** A cluster's uuid: documents of two clusters never have the same id. */
  readonly cluster: string;
  readonly shard: number;
  readonly tenant: string;
  readonly prefix: string;
  /** Only records of entries behind this position. */
  readonly after: number;
  /** Rows of one of the blocks that are wanted; undefined: all that are behind `after`. */
  readonly keep?: (block: number) => { has(row: number): boolean } | undefined;
}

/** A place among blocks: the next row to be read. */
export interface BlockPlace {
  readonly block: number;
  readonly row: number;
}

/**
 * Items of a `_bulk` request: item i is `body[offsets[i] … offsets[i + 1]]`, two lines each, a `create` with index
 * and id, and the document. Plain data, which may be posted between threads.
 */
export interface Documents {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly offsets: Uint32Array;
  /** Where to go on; undefined when no wanted record is left. */
  readonly next: BlockPlace | undefined;
}

export interface DocumentBounds {
  /** Of the body, unless a single item is longer. */
  readonly bytesMax: number;
  readonly itemsMax: number;
}

/** Room that a body begins with: most are of a few records of a seal. */
const bodyBytesFirst = 256 << 10;

/**
 * Makes documents of records, from a place on, up to the bounds. The blocks are all those of one tenant and class in
 * one segment, in its order.
 *
 * An id is made of cluster, shard, position and what the document says, and is the same however often segments were
 * merged meanwhile. Records of one entry that are equal in everything are told apart by a number, counted over all
 * blocks that may have them.
 */
export function makeDocuments(
  blocks: readonly Block[],
  from: BlockPlace,
  options: DocumentOptions,
  bounds: DocumentBounds,
): Documents {
  const bulk = new BulkBody(bounds);
  for (let at = from.block; at < blocks.length; at++) {
    const items = new BlockItems(blocks, at, options);
    const firstRow = at === from.block ? from.row : 0;
    for (let row = items.wanted(firstRow); row < items.rowCount; row = items.wanted(row + 1)) {
      if (!bulk.add(items, row, firstRow)) return bulk.documents({ block: at, row });
    }
  }
  return bulk.documents(undefined);
}

/** The records of one block as items. */
class BlockItems {
  readonly #blocks: readonly Block[];
  readonly #at: number;
  readonly #options: DocumentOptions;
  readonly #writer: DocumentWriter;
  readonly #idPrefix: string;
  readonly #kept: { has(row: number): boolean } | undefined;
  readonly #indices = new Map<number, string>();
  /** How often each id was met among rows of the group that is being read. */
  #group: { row: number; readonly counts: Map<string, number> } | undefined;
  #earlier: ReadonlyMap<string, number> | undefined;

  constructor(blocks: readonly Block[], at: number, options: DocumentOptions) {
    this.#blocks = blocks;
    this.#at = at;
    this.#options = options;
    this.#writer = new DocumentWriter(blocks[at] as Block, options.tenant);
    this.#idPrefix = idPrefix(options.cluster, options.shard);
    this.#kept = options.keep?.(at);
  }

  get rowCount(): number {
    return this.#writer.rowCount;
  }

  /** The first row at or behind this one that is wanted. */
  wanted(row: number): number {
    const { positions, rowCount } = this.#writer;
    const { after } = this.#options;
    const isWanted = (at: number): boolean =>
      (positions[at] as number) > after && this.#kept?.has(at) !== false;
    while (row < rowCount && !isWanted(row)) row++;
    return row;
  }

  /** The lines of a row; rows are asked for in ascending order, starting at `firstRow`. */
  item(row: number, firstRow: number): { readonly action: string; readonly source: Buffer } {
    this.#enterGroup(row, firstRow);
    const source = this.#writer.source(row);
    const id = this.#writer.id(this.#idPrefix, row, source);
    const counts = (this.#group as { counts: Map<string, number> }).counts;
    const count = counts.get(id) ?? this.#countEarlier(id);
    counts.set(id, count + 1);
    const action = `{"create":{"_index":"${this.#indexOf(row)}","_id":"${numberedId(id, count)}"}}\n`;
    return { action, source };
  }

  #indexOf(row: number): string {
    const day = indexDay(this.#writer.times.ms[row] as number);
    let name = this.#indices.get(day);
    if (name === undefined) {
      name = indexName(this.#options.prefix, this.#options.tenant, day);
      this.#indices.set(day, name);
    }
    return name;
  }

  /** A group is the rows of one entry, stream and time: they adjoin. A start in its middle counts what is before. */
  #enterGroup(row: number, firstRow: number): void {
    const group = this.#group;
    if (group !== undefined && this.#writer.isAlike(group.row, row)) return;
    const counts = new Map<string, number>();
    this.#group = { row, counts };
    if (row !== firstRow) return;
    for (let before = row - 1; before >= 0 && this.#writer.isAlike(before, row); before--) {
      const id = this.#writer.id(this.#idPrefix, before, this.#writer.source(before));
      counts.set(id, (counts.get(id) ?? this.#countEarlier(id)) + 1);
    }
  }

  /** How many equal records lie in blocks before this one: rows of one time may be on both sides of a border. */
  #countEarlier(id: string): number {
    this.#earlier ??= this.#readEarlier();
    return this.#earlier.get(id) ?? 0;
  }

  #readEarlier(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    const own = this.#blocks[this.#at] as Block;
    const positions = new Set(this.#writer.positions);
    for (const block of this.#blocks.slice(0, this.#at)) {
      if (momentCompare(block.timeMax, own.timeMin) < 0) continue;
      if (momentCompare(block.timeMin, own.timeMax) > 0) continue;
      this.#countIn(block, own, positions, counts);
    }
    return counts;
  }

  #countIn(
    block: Block,
    own: Block,
    positions: ReadonlySet<number>,
    counts: Map<string, number>,
  ): void {
    const { ms, ns } = block.times();
    const at = block.positions();
    // Reading the other columns is most of the cost, and there is seldom a row for it.
    let writer: DocumentWriter | undefined;
    for (let row = 0; row < block.rowCount; row++) {
      if (!positions.has(at[row] as number)) continue;
      const time = { ms: ms[row] as number, ns: ns?.[row] ?? 0 };
      if (momentCompare(time, own.timeMin) < 0 || momentCompare(time, own.timeMax) > 0) continue;
      writer ??= new DocumentWriter(block, this.#options.tenant);
      const id = writer.id(this.#idPrefix, row, writer.source(row));
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
  }
}

/** The body of a request as it grows. */
class BulkBody {
  readonly #bounds: DocumentBounds;
  #bytes: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(bodyBytesFirst);
  #length = 0;
  readonly #offsets: number[] = [0];

  constructor(bounds: DocumentBounds) {
    this.#bounds = bounds;
  }

  /** False when the item belongs into the next request. */
  add(items: BlockItems, row: number, firstRow: number): boolean {
    const { bytesMax, itemsMax } = this.#bounds;
    const count = this.#offsets.length - 1;
    if (count >= itemsMax) return false;
    const { action, source } = items.item(row, firstRow);
    const length = action.length + source.length;
    if (count > 0 && this.#length + length > bytesMax) return false;
    this.#room(length);
    this.#length += this.#bytes.write(action, this.#length, "latin1");
    this.#length += source.copy(this.#bytes, this.#length);
    this.#offsets.push(this.#length);
    return true;
  }

  documents(next: BlockPlace | undefined): Documents {
    const body = this.#bytes.subarray(0, this.#length);
    return { body, offsets: Uint32Array.from(this.#offsets), next };
  }

  #room(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length + length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger as Buffer<ArrayBuffer>;
  }
}
