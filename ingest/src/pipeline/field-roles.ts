import type { FieldNames } from "../../../storage/src/format/field-names.ts";
import { namesMax } from "../../../storage/src/format/limits.ts";

/** What a field means beside being one; bits. */
export const role = { time: 1, message: 2, stream: 4, reserved: 8 } as const;

/** Names that a record has of Logkeep; a record's own field of such a name is kept under `field.`. */
export const reservedNames = ["_time", "_stream", "_stream_id", "_tenant"] as const;

export interface FieldMeanings {
  readonly timeFields: readonly string[];
  readonly msgFields: readonly string[];
  readonly streamFields: readonly string[];
}

/**
 * What the names of a request's fields mean, by name id: set up for each request, taken back after it.
 */
export class FieldRoles {
  /** Zero for almost every name. */
  readonly bits = new Uint8Array(namesMax);
  /** The rank of a time or message field: the lower wins. */
  readonly rank = new Uint8Array(namesMax);
  /** The index of a stream field among those of the request. */
  readonly streamIndex = new Uint8Array(namesMax);
  /** The id under which a field is stored that is not what its name says. */
  readonly #storedIds = new Map<number, number>();
  readonly #names: FieldNames;
  readonly #given: number[] = [];

  constructor(names: FieldNames) {
    this.#names = names;
  }

  set(meanings: FieldMeanings): void {
    for (const name of [...reservedNames, "_msg"]) {
      const id = this.#names.idOfText(name);
      this.#storedIds.set(id, this.#names.idOfText(`field.${name}`));
      if (name !== "_msg") this.#give(id, role.reserved);
    }
    for (const [rank, name] of meanings.timeFields.entries()) {
      this.rank[this.#give(this.#names.idOfText(name), role.time)] = rank;
    }
    for (const [rank, name] of meanings.msgFields.entries()) {
      this.rank[this.#give(this.#names.idOfText(name), role.message)] = rank;
    }
    for (const [index, name] of meanings.streamFields.entries()) {
      this.streamIndex[this.#give(this.#names.idOfText(name), role.stream)] = index;
    }
  }

  /** Takes back what `set` gave; before the names are cleared. */
  clear(): void {
    for (const id of this.#given) this.bits[id] = 0;
    this.#given.length = 0;
    this.#storedIds.clear();
  }

  has(nameId: number, bit: number): boolean {
    return ((this.bits[nameId] as number) & bit) !== 0;
  }

  /** The name under which a field is kept that lost to a better one, or whose name is taken. */
  storedId(nameId: number): number {
    return this.#storedIds.get(nameId) ?? nameId;
  }

  #give(id: number, bit: number): number {
    this.bits[id] = (this.bits[id] as number) | bit;
    this.#given.push(id);
    return id;
  }
}
