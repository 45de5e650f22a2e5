import type { Block, Bounds, Codes, Column, Streams, Times } from "../../../kit/src/block.ts";
import type { ErrorFields } from "../../../kit/src/errors.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Moment } from "../../../kit/src/time.ts";
import { type BlockHeader, type FieldMeta, parseBlockHeader } from "../format/block-header.ts";
import { type ChunkRef, unpack } from "../format/chunk.ts";
import { decodeColumn } from "../format/column-decoder.ts";
import { checkStored, damaged } from "../format/damage.ts";
import type { BlockMeta } from "../format/footer.ts";
import { unpackIntegers } from "../format/integers.ts";
import { streamLabels } from "../format/stream-labels.ts";
import { filterMayContain } from "../format/token-filter.ts";
import type { BlockCache } from "./block-cache.ts";

/** What a block asks of its file. */
export interface BlockBytes {
  readonly path: string;
  /** Different for every opened file: the cache tells columns apart by it. */
  readonly cacheKey: string;
  /** Exactly so many bytes from a position of the file. */
  read(at: number, length: number): Buffer;
}

/**
 * A block of a segment. Each column is read, checked and decoded when it is first asked for, and
 * again when it has left the cache. Damage throws `storage.damaged`, which names file, block and what.
 */
export class SegmentBlock implements Block {
  /** Its place in the file's directory. */
  readonly ordinal: number;
  readonly meta: BlockMeta;
  readonly rowCount: number;
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  readonly #file: BlockBytes;
  readonly #cache: BlockCache;
  #header: BlockHeader | undefined;
  #fieldNames: readonly string[] | undefined;

  constructor(file: BlockBytes, cache: BlockCache, ordinal: number, meta: BlockMeta) {
    this.ordinal = ordinal;
    this.meta = meta;
    this.rowCount = meta.rowCount;
    this.timeMin = meta.timeMin;
    this.timeMax = meta.timeMax;
    this.#file = file;
    this.#cache = cache;
  }

  get fieldNames(): readonly string[] {
    this.#fieldNames ??= [...this.#head().fields.keys()];
    return this.#fieldNames;
  }

  times(): Times {
    return this.#cached<Times>("_time", () => {
      const { timesMs, timesNs } = this.#head();
      const ms = unpackIntegers(this.#chunk(timesMs), this.rowCount);
      if (timesNs === undefined) return { value: { ms, ns: undefined }, bytes: ms.byteLength };
      const ns = Uint32Array.from(unpackIntegers(this.#chunk(timesNs), this.rowCount));
      return { value: { ms, ns }, bytes: ms.byteLength + ns.byteLength };
    });
  }

  streams(): Streams {
    return this.#cached<Streams>("_stream", () => {
      const { streams, streamCodes } = this.#head();
      const labels = streams.map(streamLabels);
      const labelBytes = streams.reduce((sum, text) => sum + text.length * 4 + 400, 100);
      if (streamCodes === undefined)
        return { value: { labels, codes: undefined }, bytes: labelBytes };
      const codes = codesOf(
        unpackIntegers(this.#chunk(streamCodes), this.rowCount),
        streams.length,
      );
      return { value: { labels, codes }, bytes: labelBytes + codes.byteLength };
    });
  }

  positions(): Float64Array {
    return this.#cached("positions", () => {
      const value = unpackIntegers(this.#chunk(this.#head().positions), this.rowCount);
      return { value, bytes: value.byteLength };
    });
  }

  column(field: string): Column | undefined {
    const meta = this.#head().fields.get(field);
    if (meta === undefined) return undefined;
    return this.#cached(`column ${field}`, () => {
      const decoded = decodeColumn(meta.column, this.rowCount, (ref) => this.#chunk(ref));
      return { value: decoded.column, bytes: decoded.bytes };
    });
  }

  mayContain(field: string, tokens: readonly string[]): boolean {
    if (tokens.length === 0) return true;
    const meta = this.#head().fields.get(field);
    if (meta === undefined) return false;
    if (meta.filter !== undefined) {
      const { filter } = meta;
      const bytes = this.#cached(`filter ${field}`, () => {
        const value = this.#chunk(filter);
        return { value, bytes: value.length + 100 };
      });
      return filterMayContain(bytes, tokens);
    }
    return this.#mayContainExactly(field, meta, tokens);
  }

  bounds(field: string): Bounds | undefined {
    return this.#head().fields.get(field)?.bounds;
  }

  valueCounts(_field: string): undefined {
    return undefined;
  }

  /** Reads and checks every chunk, and decodes every column. */
  verify(): void {
    this.times();
    this.streams();
    this.positions();
    for (const [field, { filter }] of this.#head().fields) {
      this.column(field)?.values();
      if (filter !== undefined) this.#named(`filter ${field}`, () => this.#chunk(filter));
    }
  }

  /** Of a column without a filter: small enough to look, or whole numbers. */
  #mayContainExactly(
    field: string,
    { column, bounds }: FieldMeta,
    tokens: readonly string[],
  ): boolean {
    switch (column.kind) {
      case "const":
        return tokens.every((token) => column.value.includes(token));
      case "dict": {
        // In place the values lie packed, lengths first: looking there too can only find too much.
        const isInline = column.values instanceof Uint8Array;
        const bytes = isInline ? (column.values as Buffer) : this.column(field)?.values().bytes;
        return bytes === undefined || tokens.every((token) => bytes.includes(token));
      }
      case "numbers":
        return tokens.every((token) => mayBePrinted(token, bounds));
      case "text":
        return true;
    }
  }

  #head(): BlockHeader {
    this.#header ??= this.#cached("header", () => {
      const { header, rowCount } = this.meta;
      const bytes = this.#chunk(header);
      const value = parseBlockHeader(bytes);
      checkStored(value.rowCount === rowCount, "a block's header has another row count");
      return { value, bytes: bytes.length * 3 + value.fields.size * 300 };
    });
    return this.#header;
  }

  #chunk(ref: ChunkRef): Buffer {
    const fits = ref.at + ref.length <= this.meta.byteLength;
    checkStored(fits, "a chunk lies beyond its block");
    return unpack(this.#file.read(this.meta.at + ref.at, ref.length), ref);
  }

  #cached<T>(what: string, make: () => { readonly value: T; readonly bytes: number }): T {
    const key = `${this.#file.cacheKey}/${this.ordinal}/${what}`;
    return this.#cache.get(key, () => this.#named(what, make));
  }

  /** Runs a read; damage found by it is told with file, block and what was read. */
  #named<T>(what: string, run: () => T): T {
    try {
      return run();
    } catch (thrown) {
      if (!(thrown instanceof ServiceError) || thrown.code !== "storage.damaged") throw thrown;
      if (thrown.fields["block"] !== undefined) throw thrown;
      const fields: ErrorFields = {
        ...thrown.fields,
        file: this.#file.path,
        block: this.ordinal,
        column: what,
      };
      throw damaged(thrown.message, fields);
    }
  }
}

function codesOf(numbers: Float64Array, count: number): Codes {
  const isRight = numbers.every((code) => code >= 0 && code < count && Number.isInteger(code));
  checkStored(isRight, "the stream codes of a block are wrong");
  if (count <= 256) return Uint8Array.from(numbers);
  return count <= 65_536 ? Uint16Array.from(numbers) : Uint32Array.from(numbers);
}

/** Whether a whole number within the bounds can print as this word, a minus sign being none of it. */
function mayBePrinted(token: string, bounds: Bounds | undefined): boolean {
  if (!/^\d{1,15}$/.test(token)) return false;
  if (bounds === undefined) return true;
  const number = Number(token);
  const isWithin = number >= bounds.min && number <= bounds.max;
  return isWithin || (-number >= bounds.min && -number <= bounds.max);
}
