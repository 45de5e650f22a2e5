import type { Bounds, Codes, Column, Times, ValueCounts } from "../../../kit/src/block.ts";
import type { ChunkRef } from "./chunk.ts";

/** A column and about how many bytes it holds or will hold once it was printed or parsed. */
export interface DecodedColumn {
  readonly column: Column;
  readonly bytes: number;
}

/** What a block's header says and leads to, whatever its format version. Nothing is kept but what is small. */
export interface BlockContent {
  readonly rowCount: number;
  /** Canonical texts, in their order. */
  readonly streams: readonly string[];
  readonly fieldNames: readonly string[];
  has(field: string): boolean;
  /** All chunks but the header; none are listed for format version 1. */
  readonly chunks: readonly ChunkRef[];
  /** `columns` gives other columns of the block, kept or not, here and below. */
  streamCodes(columns: BlockColumns): Codes | undefined;
  times(columns: BlockColumns): Times;
  positions(columns: BlockColumns): Float64Array;
  column(field: string, columns: BlockColumns): DecodedColumn | undefined;
  mayContain(field: string, tokens: readonly string[], columns: BlockColumns): boolean;
  mayHold(field: string, bytes: Buffer, columns: BlockColumns): boolean;
  bounds(field: string): Bounds | undefined;
  valueCounts(field: string): ValueCounts | undefined;
  /** Reads and checks every chunk that decoding every column leaves out. */
  verifyRest(): void;
  /** How a field's values are encoded, in a word; undefined for no field of the block. */
  kindOf(field: string): string | undefined;
  /** Stored bytes of each field, and of what rows have besides. */
  storedBytes(): ReadonlyMap<string, number>;
}

/** The columns of a block, as its cache has them. */
export interface BlockColumns {
  column(field: string): Column | undefined;
  /** Whether that is decoded already. */
  hasColumn?(field: string): boolean;
  times(): Times;
  /** What was kept of the block under a name, or what `make` makes; `bytes` is about what it takes. */
  kept<T>(what: string, make: () => { readonly value: T; readonly bytes: number }): T;
}
