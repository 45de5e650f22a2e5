import type { FieldNames } from "../../../storage/src/format/field-names.ts";
import { depthMax, fieldNameMaxBytes } from "../limits.ts";
import type { RecordFields, Slice } from "./record.ts";
import type { SourceBytes } from "./source-bytes.ts";

/** A number as it is written: 64-bit integers are no JavaScript numbers. */
export class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A value that is no plain text: what arrays and maps of a protocol are read into. */
export type Tree =
  | string
  | boolean
  | null
  | NumberText
  | readonly Tree[]
  | ReadonlyMap<string, Tree>;

/** The JSON text of a tree. */
export function printTree(tree: Tree): string {
  if (tree === null || typeof tree !== "object") return JSON.stringify(tree);
  if (tree instanceof NumberText) return tree.text;
  if (tree instanceof Map) {
    const members = [...tree].map(([name, each]) => `${JSON.stringify(name)}:${printTree(each)}`);
    return `{${members.join(",")}}`;
  }
  return `[${(tree as readonly Tree[]).map(printTree).join(",")}]`;
}

/**
 * Puts fields into a record whose names come as slices or texts; and holds those that an outer part (a stream's
 * labels, a resource's attributes) gives to each of its records.
 */
export class FieldWriter {
  readonly #source: SourceBytes;
  readonly #record: RecordFields;
  readonly #names: FieldNames;
  /** Held fields: six numbers each. */
  #held: number[] = [];
  #isHolding = false;

  constructor(source: SourceBytes, record: RecordFields, names: FieldNames) {
    this.#source = source;
    this.#record = record;
    this.#names = names;
  }

  /** From now on fields are held, until `toRecord`. */
  toHeld(): void {
    this.#isHolding = true;
  }

  /** From now on fields go to the record. */
  toRecord(): void {
    this.#isHolding = false;
  }

  /** How many numbers are held, for `release`. */
  get mark(): number {
    return this.#held.length;
  }

  /** Forgets the held fields since the mark. */
  release(mark: number): void {
    this.#held.length = mark;
  }

  /** Puts all held fields into the record. */
  putHeld(): void {
    const held = this.#held;
    for (let i = 0; i < held.length; i += 6) {
      const nameId = held[i] as number;
      const start = held[i + 1] as number;
      const end = held[i + 2] as number;
      if (nameId >= 0 && this.#record.put(nameId, start, end)) continue;
      const name = { start: held[i + 3] as number, end: held[i + 4] as number };
      this.#record.putOverflow(name, start, end, held[i + 5] === 1);
    }
  }

  /** `isText`: the value is a text; otherwise it is JSON as it stands. All are slices of the source. */
  put(name: Slice, start: number, end: number, isText: boolean): void {
    const length = name.end - name.start;
    const isName = length > 0 && length <= fieldNameMaxBytes;
    const nameId = isName ? this.#names.idOf(this.#source.bytes, name.start, name.end) : -1;
    if (this.#isHolding) {
      this.#held.push(nameId, start, end, name.start, name.end, isText ? 1 : 0);
    } else if (nameId < 0 || !this.#record.put(nameId, start, end)) {
      this.#record.putOverflow(name, start, end, isText);
    }
  }

  /** As `put`, name and value given as texts. */
  putText(name: string, value: string, isText = true): void {
    const slice = this.nameSlice(name);
    const start = this.#source.putText(value);
    this.put(slice, start, this.#source.scratch, isText);
  }

  /** Writes a name to scratch. */
  nameSlice(name: string): Slice {
    const start = this.#source.putText(name);
    return { start, end: this.#source.scratch };
  }

  /** Puts a value of any shape: maps become dotted names, arrays their JSON text, null nothing. */
  putTree(name: string, tree: Tree, depth = 1): void {
    if (tree === null) return;
    if (typeof tree === "string") this.putText(name, tree);
    else if (tree instanceof Map && depth < depthMax) this.#putMap(name, tree, depth);
    else this.putText(name, printTree(tree), false);
  }

  #putMap(name: string, map: ReadonlyMap<string, Tree>, depth: number): void {
    for (const [member, each] of map) {
      this.putTree(name === "" ? member : `${name}.${member}`, each, depth + 1);
    }
  }
}
