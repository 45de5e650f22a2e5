import { isSame } from "../../../storage/src/format/words.ts";
import { bulkActionMaxBytes, bulkItemsMax } from "../limits.ts";
import { type BulkAction, BulkItems, readAction } from "./bulk-items.ts";
import { BodyFault, DecodeFault } from "./fault.ts";
import type { FieldWriter } from "./fields.ts";
import { isBlank, type JsonLines, lineEnd, reasonOf } from "./json-lines.ts";
import type { JsonReader } from "./json-reader.ts";
import type { JsonRecords } from "./json-record.ts";
import { byte, hasWord, lineSpaces, skipSpace } from "./json-scan.ts";
import type { Slice } from "./record.ts";
import type { RecordSink } from "./sink.ts";

export interface BulkParts {
  readonly reader: JsonReader;
  readonly lines: JsonLines;
  readonly records: JsonRecords;
  readonly fields: FieldWriter;
  readonly sink: RecordSink;
}

/**
 * Elasticsearch `_bulk`: an action a line, and the record it is about on the next. `index` and `create` store
 * it, `update` stores what it would create (`doc` with `doc_as_upsert`, or `upsert`) since records do not change,
 * `delete` is refused. Each item has its own result; an action that cannot be read fails the request.
 */
export class Bulk {
  readonly #parts: BulkParts;
  #items = new BulkItems("");
  /** The last action line, which is mostly the next one too. */
  #actionLine: Slice = { start: 0, end: 0 };
  #action: BulkAction | undefined;
  #indexSlice: Slice | undefined;
  /** Whether all of the next record's fields are those of its line and what the sink adds. */
  #isPlainAction = false;
  #idOfIndex = -1;
  #defaultIndex: Slice | undefined;
  #isUtf8 = true;

  constructor(parts: BulkParts) {
    this.#parts = parts;
  }

  /** Returns the results of the items. `idSeed` begins the ids that are made up. Throws `BodyFault`. */
  decode(index: string | undefined, idSeed: string): BulkItems {
    const { reader, fields, sink } = this.#parts;
    const { source } = reader;
    reader.spaces = lineSpaces;
    this.#items = new BulkItems(idSeed, this.#items);
    this.#action = undefined;
    this.#idOfIndex = sink.idOf("_index");
    this.#defaultIndex = index === undefined ? undefined : fields.nameSlice(index);
    sink.pin();
    this.#isUtf8 = source.isUtf8(0, source.bodyEnd);
    this.#parts.lines.begin();
    let line = 0;
    for (let at = 0; at < source.bodyEnd; ) {
      line++;
      const isSame = this.#isSameAction(at);
      const end = isSame
        ? at + this.#actionLine.end - this.#actionLine.start
        : lineEnd(source.bytes, at, source.bodyEnd);
      if (!isSame && this.#isEmpty(at, end)) {
        at = end + 1;
        continue;
      }
      const action = (isSame && this.#action) || this.#readAction(at, end, line, index);
      if (this.#items.count >= bulkItemsMax) {
        throw new BodyFault(`more than ${bulkItemsMax} items`, line, "too-large");
      }
      at = end + 1;
      if (action.kind === "delete") {
        const reason = "records cannot be deleted by _bulk";
        this.#items.failed(action, 400, "illegal_argument_exception", reason);
        continue;
      }
      if (at >= source.bodyEnd) throw new BodyFault("the last action has no source", line);
      line++;
      at = this.#source(action, at, line);
    }
    return this.#items;
  }

  #isEmpty(at: number, end: number): boolean {
    const { bytes } = this.#parts.reader.source;
    while (at < end && isBlank(bytes[at] as number)) at++;
    return at === end;
  }

  /** True where the last action line stands once more, its line feed included. */
  #isSameAction(at: number): boolean {
    if (this.#action === undefined) return false;
    const { view } = this.#parts.reader.source;
    const { start, end } = this.#actionLine;
    return isSame(view, at, end - start + 1, view, start);
  }

  #readAction(start: number, end: number, line: number, index: string | undefined): BulkAction {
    const { source } = this.#parts.reader;
    if (end - start > bulkActionMaxBytes) {
      throw new BodyFault(`an action is longer than ${bulkActionMaxBytes} bytes`, line);
    }
    const action = readAction(source.textOf(start, end), index);
    if (typeof action === "string") throw new BodyFault(action, line);
    this.#action = action;
    this.#actionLine = { start, end };
    this.#indexSlice = this.#findIndex(action, start, end);
    this.#setOwn(action);
    return action;
  }

  /** Has the sink add the index, unless it must be written anew for each record. */
  #setOwn(action: BulkAction): void {
    const slice = action.index === "" ? undefined : this.#indexSlice;
    const nameId = this.#idOfIndex;
    this.#parts.sink.setOwn(slice && { nameId, start: slice.start, end: slice.end });
    const isIndexAdded = action.index === "" || slice !== undefined;
    this.#isPlainAction = isIndexAdded && action.id === undefined && action.kind !== "update";
  }

  /** Where the index stands in the action or beside the body; undefined where it must be written anew. */
  #findIndex(action: BulkAction, start: number, end: number): Slice | undefined {
    if (!action.isIndexOwn) return this.#defaultIndex;
    const { bytes } = this.#parts.reader.source;
    const quoted = Buffer.from(JSON.stringify(action.index));
    const at = bytes.subarray(start, end).indexOf(quoted);
    if (at < 0 || quoted.length !== action.index.length + 2) return undefined;
    return { start: start + at + 1, end: start + at + 1 + action.index.length };
  }

  /** Reads the record of an action; returns where the next line begins. */
  #source(action: BulkAction, start: number, line: number): number {
    const { reader, sink, lines } = this.#parts;
    const { source } = reader;
    let end = this.#isUtf8 && this.#isPlainAction ? lines.readAlike(start, line) : -1;
    if (end >= 0) {
      this.#note(action, lines.failure);
      return end + 1;
    }
    let failure: string | undefined;
    sink.begin();
    try {
      if (!this.#isUtf8 && !source.isUtf8(start, lineEnd(source.bytes, start, source.bodyEnd))) {
        throw reader.fault.set("the record is not valid UTF-8", start);
      }
      let at = start;
      while (isBlank(source.bytes[at] as number)) at++;
      if (action.kind === "update") {
        end = lineEnd(source.bytes, start, source.bodyEnd);
        if (!this.#readUpdate(at, end)) {
          this.#items.failed(action, 404, "document_missing_exception", "document missing");
          sink.reject(line, "document missing: records cannot be updated", start, end);
          return end + 1;
        }
      } else {
        end = lines.readObject(start, at);
      }
      this.#putOrigin(action);
      failure = sink.accept(line, start, end);
    } catch (thrown) {
      if (!(thrown instanceof DecodeFault)) throw thrown;
      end = lineEnd(source.bytes, start, source.bodyEnd);
      failure = reasonOf(thrown, start, end);
      sink.reject(line, failure, start, end);
    }
    this.#note(action, failure);
    return end + 1;
  }

  #note(action: BulkAction, failure: string | undefined): void {
    if (failure === undefined) this.#items.created(action);
    else this.#items.failed(action, 400, "mapper_parsing_exception", failure);
  }

  /** Reads what an update would create into the record; false where it would create nothing. */
  #readUpdate(at: number, end: number): boolean {
    const { reader, records } = this.#parts;
    const { bytes } = reader.source;
    reader.at = at;
    const places = reader.members();
    if (skipSpace(bytes, reader.at, lineSpaces) < end) {
      throw reader.fault.set("something follows the object", reader.at);
    }
    const asUpsertAt = places.get("doc_as_upsert");
    const isUpsert = asUpsertAt !== undefined && hasWord(bytes, asUpsertAt, "true");
    const docAt = isUpsert ? places.get("doc") : places.get("upsert");
    if (docAt === undefined) return false;
    if (bytes[docAt] !== byte.openBrace) {
      throw reader.fault.set("a record must be a JSON object", docAt);
    }
    records.read(docAt);
    return true;
  }

  #putOrigin(action: BulkAction): void {
    const { fields, sink } = this.#parts;
    if (action.index !== "" && this.#indexSlice === undefined) {
      const slice = fields.nameSlice(action.index);
      sink.record.putOwn(this.#idOfIndex, slice.start, slice.end);
    }
    if (action.id !== undefined) fields.putText("_id", action.id);
  }
}
