import type {
  Block,
  Column,
  StoredFields,
  Streams,
  Templates,
  Times,
  ValueCounts,
  Values,
} from "../../../kit/src/block.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Moment } from "../../../kit/src/time.ts";

/** Told of each error that says that stored bytes are damaged, which is then thrown on. */
export type OnDamage = (reason: string) => void;

/** A block that tells of its damage, whichever of its columns is met to have it. */
export class WatchedBlock implements Block {
  readonly #block: Block;
  readonly #onDamage: OnDamage;

  constructor(block: Block, onDamage: OnDamage) {
    this.#block = block;
    this.#onDamage = onDamage;
  }

  get rowCount(): number {
    return this.#block.rowCount;
  }

  get byteSize(): number {
    return this.#block.byteSize ?? 0;
  }

  get timeMin(): Moment {
    return this.#block.timeMin;
  }

  get timeMax(): Moment {
    return this.#block.timeMax;
  }

  get fieldNames(): readonly string[] {
    return watched(this.#onDamage, () => this.#block.fieldNames);
  }

  times(): Times {
    return watched(this.#onDamage, () => this.#block.times());
  }

  streams(): Streams {
    return watched(this.#onDamage, () => this.#block.streams());
  }

  positions(): Float64Array {
    return watched(this.#onDamage, () => this.#block.positions());
  }

  column(field: string): Column | undefined {
    const column = watched(this.#onDamage, () => this.#block.column(field));
    return column === undefined ? undefined : new WatchedColumn(column, this.#onDamage);
  }

  mayContain(field: string, tokens: readonly string[]): boolean {
    return watched(this.#onDamage, () => this.#block.mayContain(field, tokens));
  }

  mayHold(field: string, bytes: Buffer): boolean {
    return watched(this.#onDamage, () => this.#block.mayHold?.(field, bytes) ?? true);
  }

  bounds(field: string): { readonly min: number; readonly max: number } | undefined {
    return watched(this.#onDamage, () => this.#block.bounds(field));
  }

  valueCounts(field: string): ValueCounts | undefined {
    return watched(this.#onDamage, () => this.#block.valueCounts(field));
  }

  storedFields(): StoredFields | undefined {
    return watched(this.#onDamage, () => this.#block.storedFields?.());
  }
}

class WatchedColumn implements Column {
  readonly layout: Column["layout"];
  readonly codes: Column["codes"];
  readonly valueCount: number;
  readonly isNumeric: boolean;
  readonly present: Uint16Array | undefined;
  readonly #column: Column;
  readonly #onDamage: OnDamage;

  constructor(column: Column, onDamage: OnDamage) {
    this.layout = column.layout;
    this.codes = column.codes;
    this.valueCount = column.valueCount;
    this.isNumeric = column.isNumeric === true;
    this.present = column.present;
    this.#column = column;
    this.#onDamage = onDamage;
  }

  values(): Values {
    return watched(this.#onDamage, () => this.#column.values());
  }

  numbers(): Float64Array {
    return watched(this.#onDamage, () => this.#column.numbers());
  }

  pick(rows: Uint32Array): Values {
    return watched(this.#onDamage, () => this.#column.pick(rows));
  }

  get templates(): Templates | undefined {
    const templates = watched(this.#onDamage, () => this.#column.templates);
    return templates === undefined ? undefined : new WatchedTemplates(templates, this.#onDamage);
  }
}

class WatchedTemplates implements Templates {
  readonly #templates: Templates;
  readonly #onDamage: OnDamage;

  constructor(templates: Templates, onDamage: OnDamage) {
    this.#templates = templates;
    this.#onDamage = onDamage;
  }

  get codes(): Templates["codes"] {
    return watched(this.#onDamage, () => this.#templates.codes);
  }

  get templates(): Templates["templates"] {
    return watched(this.#onDamage, () => this.#templates.templates);
  }

  templatesHolding(bytes: Buffer): ReadonlySet<number> {
    return watched(this.#onDamage, () => this.#templates.templatesHolding(bytes));
  }

  variablesMayContain(tokens: readonly string[]): boolean {
    return watched(this.#onDamage, () => this.#templates.variablesMayContain(tokens));
  }

  variablesHolding(bytes: Buffer): ReadonlyMap<number, readonly number[]> | undefined {
    return watched(this.#onDamage, () => this.#templates.variablesHolding(bytes));
  }

  variable(template: number, index: number): Column {
    const column = watched(this.#onDamage, () => this.#templates.variable(template, index));
    return new WatchedColumn(column, this.#onDamage);
  }
}

function watched<Result>(onDamage: OnDamage, read: () => Result): Result {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof ServiceError && thrown.code === "storage.damaged")
      onDamage(thrown.message);
    throw thrown;
  }
}
