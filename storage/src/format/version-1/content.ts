import type { Bounds, Codes, Times } from "../../../../kit/src/block.ts";
import type { BlockColumns, BlockContent, DecodedColumn } from "../block-content.ts";
import { mayBePrinted, streamCodesOf } from "../content-checks.ts";
import { unpackIntegers } from "../integers.ts";
import { filterMayContain } from "../token-filter.ts";
import { type BlockHeader, type FieldMeta, parseBlockHeader } from "./block-header.ts";
import { decodeColumn, type ReadChunk } from "./column-decoder.ts";

/** A block of format version 1: every column has chunks of its own. */
export class BlockContent1 implements BlockContent {
  readonly #header: BlockHeader;
  readonly #chunk: ReadChunk;

  constructor(header: Buffer, chunk: ReadChunk) {
    this.#header = parseBlockHeader(header);
    this.#chunk = chunk;
  }

  get rowCount(): number {
    return this.#header.rowCount;
  }

  get streams(): readonly string[] {
    return this.#header.streams;
  }

  get chunks(): readonly [] {
    return [];
  }

  get fieldNames(): readonly string[] {
    return [...this.#header.fields.keys()];
  }

  has(field: string): boolean {
    return this.#header.fields.has(field);
  }

  streamCodes(): Codes | undefined {
    const { streamCodes, streams, rowCount } = this.#header;
    if (streamCodes === undefined) return undefined;
    return streamCodesOf(unpackIntegers(this.#chunk(streamCodes), rowCount), streams.length);
  }

  times(): Times {
    const { timesMs, timesNs, rowCount } = this.#header;
    const ms = unpackIntegers(this.#chunk(timesMs), rowCount);
    if (timesNs === undefined) return { ms, ns: undefined };
    return { ms, ns: Uint32Array.from(unpackIntegers(this.#chunk(timesNs), rowCount)) };
  }

  positions(): Float64Array {
    return unpackIntegers(this.#chunk(this.#header.positions), this.#header.rowCount);
  }

  column(field: string): DecodedColumn | undefined {
    const meta = this.#header.fields.get(field);
    if (meta === undefined) return undefined;
    return decodeColumn(meta.column, this.#header.rowCount, this.#chunk);
  }

  mayContain(field: string, tokens: readonly string[], columns: BlockColumns): boolean {
    const meta = this.#header.fields.get(field);
    if (meta === undefined) return false;
    if (meta.filter !== undefined) return filterMayContain(this.#chunk(meta.filter), tokens);
    return mayContainExactly(field, meta, tokens, columns);
  }

  mayHold(): boolean {
    return true;
  }

  bounds(field: string): Bounds | undefined {
    return this.#header.fields.get(field)?.bounds;
  }

  valueCounts(): undefined {
    return undefined;
  }

  verifyRest(): void {
    for (const { filter } of this.#header.fields.values()) {
      if (filter !== undefined) this.#chunk(filter);
    }
  }

  kindOf(field: string): string | undefined {
    return this.#header.fields.get(field)?.column.kind;
  }

  storedBytes(): ReadonlyMap<string, number> {
    return new Map();
  }
}

/** Of a column without a filter: small enough to look, or whole numbers. */
function mayContainExactly(
  field: string,
  { column, bounds }: FieldMeta,
  tokens: readonly string[],
  columns: BlockColumns,
): boolean {
  switch (column.kind) {
    case "const":
      return tokens.every((token) => column.value.includes(token));
    case "dict": {
      // In place the values lie packed, lengths first: looking there too can only find too much.
      const isInline = column.values instanceof Uint8Array;
      const bytes = isInline ? (column.values as Buffer) : columns.column(field)?.values().bytes;
      return bytes === undefined || tokens.every((token) => bytes.includes(token));
    }
    case "numbers":
      return tokens.every((token) => mayBePrinted(token, bounds));
    case "text":
      return true;
  }
}
