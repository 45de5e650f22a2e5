import type {
  Block,
  Bounds,
  Codes,
  Column,
  StoredFields,
  Streams,
  Template,
  Templates,
  Times,
  ValueCounts,
  Values,
} from "../../../kit/src/block.ts";
import type { Moment } from "../../../kit/src/time.ts";
import type { PruneReason } from "./profile.ts";

/** What was asked of one block. */
export class Asked {
  /** The last thing that was looked at and is no column's content. */
  last: PruneReason | undefined;
  /** Bytes decoded of each column, by name and kind. */
  readonly decoded = new Map<string, Map<string, number>>();

  /** Notes what a column gave; the same again costs nothing. */
  decode(field: string, kind: string, bytes: number): void {
    const kinds = this.decoded.get(field) ?? new Map<string, number>();
    this.decoded.set(field, kinds);
    kinds.set(kind, Math.max(kinds.get(kind) ?? 0, bytes));
  }
}

/** A block that notes what is asked of it. */
export class AskedBlock implements Block {
  readonly #block: Block;
  readonly #asked: Asked;

  constructor(block: Block, asked: Asked) {
    this.#block = block;
    this.#asked = asked;
  }

  get rowCount(): number {
    return this.#block.rowCount;
  }

  get timeMin(): Moment {
    return this.#block.timeMin;
  }

  get timeMax(): Moment {
    return this.#block.timeMax;
  }

  get fieldNames(): readonly string[] {
    return this.#block.fieldNames;
  }

  times(): Times {
    const times = this.#block.times();
    this.#asked.decode("_time", "times", (times.ns === undefined ? 8 : 12) * times.ms.length);
    return times;
  }

  streams(): Streams {
    const streams = this.#block.streams();
    this.#asked.last = "stream";
    return streams;
  }

  positions(): Float64Array {
    return this.#block.positions();
  }

  column(field: string): Column | undefined {
    const column = this.#block.column(field);
    if (column === undefined || column.layout === "const") this.#asked.last = "header";
    return column === undefined ? undefined : new AskedColumn(column, field, this.#asked);
  }

  mayContain(field: string, tokens: readonly string[]): boolean {
    const may = this.#block.mayContain(field, tokens);
    if (!may) this.#asked.last = "tokens";
    return may;
  }

  bounds(field: string): Bounds | undefined {
    this.#asked.last = "header";
    return this.#block.bounds(field);
  }

  valueCounts(field: string): ValueCounts | undefined {
    this.#asked.last = "header";
    return this.#block.valueCounts(field);
  }

  storedFields(): StoredFields | undefined {
    return this.#block.storedFields?.();
  }
}

class AskedColumn implements Column {
  readonly layout: Column["layout"];
  readonly valueCount: number;
  readonly present: Uint16Array | undefined;
  readonly #column: Column;
  readonly #field: string;
  readonly #asked: Asked;
  readonly #kind: string;

  constructor(column: Column, field: string, asked: Asked, kind = "") {
    this.layout = column.layout;
    this.valueCount = column.valueCount;
    this.present = column.present;
    this.#column = column;
    this.#field = field;
    this.#asked = asked;
    this.#kind = kind;
  }

  get codes(): Codes | undefined {
    const { codes } = this.#column;
    if (codes !== undefined) this.#note("codes", codes.byteLength);
    return codes;
  }

  values(): Values {
    const values = this.#column.values();
    this.#note("values", bytesOf(values));
    return values;
  }

  numbers(): Float64Array {
    const numbers = this.#column.numbers();
    this.#note("numbers", numbers.byteLength);
    return numbers;
  }

  pick(rows: Uint32Array): Values {
    const values = this.#column.pick(rows);
    this.#note("picked", bytesOf(values));
    return values;
  }

  get templates(): Templates | undefined {
    const { templates } = this.#column;
    if (templates === undefined) return undefined;
    return new AskedTemplates(templates, this.#field, this.#asked);
  }

  /** The one value of a whole block lies in its header. */
  #note(kind: string, bytes: number): void {
    if (this.layout !== "const") this.#asked.decode(this.#field, this.#kind + kind, bytes);
  }
}

class AskedTemplates implements Templates {
  readonly #templates: Templates;
  readonly #field: string;
  readonly #asked: Asked;

  constructor(templates: Templates, field: string, asked: Asked) {
    this.#templates = templates;
    this.#field = field;
    this.#asked = asked;
  }

  get codes(): Codes {
    const { codes } = this.#templates;
    this.#asked.decode(this.#field, "template codes", codes.byteLength);
    return codes;
  }

  get templates(): readonly Template[] {
    this.#asked.last = "template";
    return this.#templates.templates;
  }

  templatesHolding(bytes: Buffer): ReadonlySet<number> {
    this.#asked.last = "template";
    return this.#templates.templatesHolding(bytes);
  }

  variablesMayContain(tokens: readonly string[]): boolean {
    this.#asked.last = "template";
    return this.#templates.variablesMayContain(tokens);
  }

  variablesHolding(bytes: Buffer): ReadonlyMap<number, readonly number[]> | undefined {
    this.#asked.last = "template";
    return this.#templates.variablesHolding(bytes);
  }

  variable(template: number, index: number): Column {
    const column = this.#templates.variable(template, index);
    return new AskedColumn(column, this.#field, this.#asked, `${template} ${index} `);
  }
}

function bytesOf({ offsets }: Values): number {
  return (offsets[offsets.length - 1] ?? 0) - (offsets[0] ?? 0);
}
