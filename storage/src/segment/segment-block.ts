import { crc32 } from "node:zlib";
import type {
  Block,
  Bounds,
  Column,
  StoredFields,
  Streams,
  Times,
  ValueCounts,
} from "../../../kit/src/block.ts";
import type { ErrorFields } from "../../../kit/src/errors.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Moment } from "../../../kit/src/time.ts";
import type { BlockContent } from "../format/block-content.ts";
import { type ChunkRef, unpack } from "../format/chunk.ts";
import { BlockContent2 } from "../format/content.ts";
import { checkStored, damaged } from "../format/damage.ts";
import { type BlockMeta, formatVersion } from "../format/footer.ts";
import { streamLabels } from "../format/stream-labels.ts";
import { BlockContent1 } from "../format/version-1/content.ts";
import type { BlockCache } from "./block-cache.ts";
import { storedFieldsOf } from "./stored-fields.ts";

/** What a block asks of its file. */
export interface BlockBytes {
  readonly path: string;
  /** Of the file's format. */
  readonly version: number;
  /** Different for every opened file: the cache tells columns apart by it. */
  readonly cacheKey: string;
  /** Exactly so many bytes from a position of the file. */
  read(at: number, length: number): Buffer;
  /** As `read`, but good only until the next read: no memory is taken for what is unpacked at once. */
  peek(at: number, length: number): Buffer;
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
  readonly byteSize: number;
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  readonly #file: BlockBytes;
  readonly #cache: BlockCache;
  #content: BlockContent | undefined;
  #fieldNames: readonly string[] | undefined;

  constructor(file: BlockBytes, cache: BlockCache, ordinal: number, meta: BlockMeta) {
    this.ordinal = ordinal;
    this.meta = meta;
    this.rowCount = meta.rowCount;
    this.byteSize = meta.rawBytes;
    this.timeMin = meta.timeMin;
    this.timeMax = meta.timeMax;
    this.#file = file;
    this.#cache = cache;
  }

  get fieldNames(): readonly string[] {
    this.#fieldNames ??= this.#open().fieldNames;
    return this.#fieldNames;
  }

  /** Of the file's format. */
  get version(): number {
    return this.#file.version;
  }

  times(): Times {
    return this.#cached<Times>("_time", () => {
      const value = this.#open().times(this);
      return { value, bytes: value.ms.byteLength + (value.ns?.byteLength ?? 0) };
    });
  }

  streams(): Streams {
    return this.#cached<Streams>("_stream", () => {
      const content = this.#open();
      const labels = content.streams.map(streamLabels);
      const codes = content.streamCodes(this);
      const bytes = content.streams.reduce((sum, text) => sum + text.length * 4 + 400, 100);
      return { value: { labels, codes }, bytes: bytes + (codes?.byteLength ?? 0) };
    });
  }

  positions(): Float64Array {
    return this.#cached("positions", () => {
      const value = this.#open().positions(this);
      return { value, bytes: value.byteLength };
    });
  }

  column(field: string): Column | undefined {
    const content = this.#open();
    if (!content.has(field)) return undefined;
    return this.#cached<Column | undefined>(`column ${field}`, () => {
      const decoded = content.column(field, this);
      return { value: decoded?.column, bytes: decoded?.bytes ?? 0 };
    });
  }

  hasColumn(field: string): boolean {
    return this.#cache.has(this.#keyOf(`column ${field}`));
  }

  mayContain(field: string, tokens: readonly string[]): boolean {
    if (tokens.length === 0) return true;
    const content = this.#open();
    return this.#named(`filter ${field}`, () => content.mayContain(field, tokens, this));
  }

  mayHold(field: string, bytes: Buffer): boolean {
    const content = this.#open();
    return this.#named(`grams ${field}`, () => content.mayHold(field, bytes, this));
  }

  /** Of a column, beside the column itself. */
  kept<T>(what: string, make: () => { readonly value: T; readonly bytes: number }): T {
    return this.#cached(`part ${what}`, make);
  }

  bounds(field: string): Bounds | undefined {
    return this.#open().bounds(field);
  }

  valueCounts(field: string): ValueCounts | undefined {
    return this.#named(field, () => this.#open().valueCounts(field));
  }

  /** How a field's values are encoded, in a word. */
  kindOf(field: string): string | undefined {
    return this.#open().kindOf(field);
  }

  /** Stored bytes of each field, its token filter, and what rows have besides. */
  storedBytes(): ReadonlyMap<string, number> {
    return this.#open().storedBytes();
  }

  storedFields(): StoredFields {
    const fields = this.#cached("sizes", () => {
      const value = storedFieldsOf(this);
      return { value, bytes: value.size * 100 };
    });
    return { path: this.#file.path, fields };
  }

  /** Its bytes as they are in the file, every chunk checked against its checksum. */
  stored(): Buffer {
    return this.#named("bytes", () => {
      const bytes = this.#file.read(this.meta.at, this.meta.byteLength);
      for (const { at, length, crc } of this.#open().chunks) {
        checkStored(at + length <= bytes.length, "a chunk lies beyond its block");
        const isRight = crc32(bytes.subarray(at, at + length)) === crc;
        checkStored(isRight, "a chunk does not match its checksum");
      }
      return bytes;
    });
  }

  /** Reads and checks every chunk. Files of format version 1 do not list theirs, so their columns are decoded. */
  check(): void {
    if (this.version === formatVersion) this.stored();
    else this.verify();
  }

  /** Reads and checks every chunk, and decodes every column. */
  verify(): void {
    this.times();
    this.streams();
    this.positions();
    for (const field of this.fieldNames) this.column(field)?.values();
    this.#named("frames", () => this.#open().verifyRest());
  }

  #open(): BlockContent {
    this.#content ??= this.#cached("header", () => {
      const { header, rowCount } = this.meta;
      const bytes = this.#read(header);
      const value =
        this.#file.version === 1
          ? new BlockContent1(bytes, (ref) => this.#read(ref))
          : new BlockContent2(
              bytes,
              (ref) => this.#chunk(ref),
              (ref, partAt, length) => this.#part(ref, partAt, length),
            );
      checkStored(value.rowCount === rowCount, "a block's header has another row count");
      return { value, bytes: bytes.length * 3 + value.fieldNames.length * 300 };
    });
    return this.#content;
  }

  /** A chunk, kept for a while: columns share it. */
  #chunk(ref: ChunkRef): Buffer {
    const key = `${this.#file.cacheKey}/${this.ordinal}/chunk ${ref.at}`;
    const make = () => {
      const value = this.#read(ref);
      return { value, bytes: value.length + 100 };
    };
    return this.#cache.get(key, make, "chunk");
  }

  /** Some bytes of a chunk that is stored as it is. The chunk is checked as a whole before the first, and not kept. */
  #part(ref: ChunkRef, at: number, length: number): Buffer {
    const key = `${this.#file.cacheKey}/${this.ordinal}/checked ${ref.at}`;
    this.#cache.get(key, () => {
      unpack(this.#file.peek(this.#placeOf(ref), ref.length), ref);
      return { value: true, bytes: 200 };
    });
    return this.#file.peek(this.#placeOf(ref) + at, length);
  }

  #read(ref: ChunkRef): Buffer {
    const at = this.#placeOf(ref);
    const isPacked = ref.length !== ref.rawLength;
    return unpack(
      isPacked ? this.#file.peek(at, ref.length) : this.#file.read(at, ref.length),
      ref,
    );
  }

  /** In the file. */
  #placeOf(ref: ChunkRef): number {
    const fits = ref.at + ref.length <= this.meta.byteLength;
    checkStored(fits, "a chunk lies beyond its block");
    return this.meta.at + ref.at;
  }

  #cached<T>(what: string, make: () => { readonly value: T; readonly bytes: number }): T {
    return this.#cache.get(this.#keyOf(what), () => this.#named(what, make));
  }

  #keyOf(what: string): string {
    return `${this.#file.cacheKey}/${this.ordinal}/${what}`;
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
