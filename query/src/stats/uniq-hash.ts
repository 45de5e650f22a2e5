import { hashBytes, mixed } from "../table/bytes-table.ts";
import { codeAt } from "../table/column.ts";
import { GrowingF64 } from "../table/growing.ts";
import { TupleTable } from "../table/tuple-table.ts";
import type { View } from "../table/view.ts";
import type { GroupedRows, StatsPartial, StatsState } from "./function.ts";

/**
 * `count_uniq_hash(a, b)`: distinct hashes (64 bits) of the tuples that are not all empty, at most `limit`. Twelve bytes a
 * tuple whatever its length; two tuples in 10^19 are taken for one.
 */
export class CountUniqHashState implements StatsState {
  readonly #fields: readonly string[];
  readonly #limit: number;
  readonly #hashes = new TupleTable(3);
  readonly #counts = new GrowingF64();

  constructor(fields: readonly string[], limit: number | undefined) {
    this.#fields = fields;
    this.#limit = limit ?? Number.POSITIVE_INFINITY;
  }

  get byteSize(): number {
    return this.#hashes.byteSize + this.#counts.byteSize;
  }

  add(view: View, { rows, groups, groupCount }: GroupedRows): void {
    this.#counts.upTo(groupCount);
    const columns = this.#fields.map((field) => {
      const column = view.column(field);
      return column === undefined ? undefined : { column, hashes: valueHashes(column.values()) };
    });
    for (let i = 0; i < rows.length; i++) {
      let [high, low, any] = [0, 0, 0];
      for (const each of columns) {
        const code = each === undefined ? 0 : codeAt(each.column, rows[i] as number);
        const a = each?.hashes.high[code] ?? 0;
        const b = each?.hashes.low[code] ?? 0;
        high = mixed(Math.imul(high, 0x9e3779b1) ^ a);
        low = mixed(Math.imul(low, 0x85ebca6b) ^ b);
        any |= each?.hashes.filled[code] ?? 0;
      }
      if (any !== 0) this.#add(groups === undefined ? 0 : (groups[i] as number), high, low);
    }
  }

  export(): StatsPartial {
    return { function: "uniq-hash", data: { hashes: this.#hashes.export() } };
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    const theirs = partial.data["hashes"] as Uint32Array;
    for (let at = 0; at < theirs.length; at += 3) {
      const [group = 0, high = 0, low = 0] = theirs.subarray(at, at + 3);
      this.#add(groupOf[group] as number, high, low);
    }
  }

  finish(group: number): string {
    return String(Math.min(this.#counts.at(group), this.#limit));
  }

  #add(group: number, high: number, low: number): void {
    const before = this.#hashes.size;
    if (this.#hashes.intern(Uint32Array.of(group, high, low)) < before) return;
    const counts = this.#counts.upTo(group + 1);
    counts[group] = (counts[group] as number) + 1;
  }
}

/** Two hashes of each value, which are independent of each other, and 1 where it is not empty. */
function valueHashes({
  bytes,
  offsets,
}: {
  readonly bytes: Buffer;
  readonly offsets: Uint32Array;
}) {
  const count = offsets.length - 1;
  const high = new Uint32Array(count);
  const low = new Uint32Array(count);
  const filled = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const [from, to] = [offsets[i] as number, offsets[i + 1] as number];
    // An empty value counts as an absent one, whose hashes are zero.
    if (to === from) continue;
    high[i] = hashBytes(bytes, from, to);
    low[i] = otherHash(bytes, from, to);
    filled[i] = 1;
  }
  return { high, low, filled };
}

/** Multiplication by another odd number a byte, from the end: FNV-1a's collisions are none of these. */
function otherHash(bytes: Buffer, from: number, to: number): number {
  let hash = to - from;
  for (let i = to - 1; i >= from; i--) {
    hash = Math.imul(hash, 0xcc9e2d51) + (bytes[i] as number) + 1;
    hash = (hash << 13) | (hash >>> 19);
  }
  return mixed(hash);
}
