import { type Moment, momentCompare } from "../../../kit/src/time.ts";

/**
 * A delete by query: hides what matches among the records below its position in a shard's log. What its filter
 * means is known to whoever reads and rewrites; here it is a text.
 */
export interface Tombstone {
  /** Of the delete, the same in every shard. */
  readonly id: string;
  readonly tenant: string;
  readonly filter: string;
  /** Times of the records it is about: `from` is in it, `to` is not. */
  readonly from: Moment;
  readonly to: Moment;
  readonly createdMs: number;
  /** Who asked for it. */
  readonly author: string;
  /** How many records matched when it was asked for. */
  readonly rowsHidden: number;
}

/** A tombstone in one shard's log. */
export interface PlacedTombstone extends Tombstone {
  readonly position: number;
}

/** What of a tombstone hides rows: those that match its filter, below its position and within its times. */
export type Deletion = Pick<PlacedTombstone, "id" | "filter" | "from" | "to" | "position">;

/** What a tombstone has come to in one shard, in this process. */
export interface TombstoneWork {
  filesRewritten: number;
  rowsRemoved: number;
  /** Since when no live record matches but in damaged files, by the wall clock. */
  settledMs: number | undefined;
}

/** The tombstones of one shard that are not known to be done, in the order of its log. */
export class TombstoneTable {
  #placed: readonly PlacedTombstone[] = [];
  readonly #work = new Map<string, TombstoneWork>();

  /** Never changed in place. */
  get all(): readonly PlacedTombstone[] {
    return this.#placed;
  }

  /** 0 without any. */
  get lastPosition(): number {
    return this.#placed.at(-1)?.position ?? 0;
  }

  workOf(id: string): TombstoneWork {
    const known = this.#work.get(id);
    if (known !== undefined) return known;
    const made = { filesRewritten: 0, rowsRemoved: 0, settledMs: undefined };
    this.#work.set(id, made);
    return made;
  }

  insert(placed: PlacedTombstone): void {
    if (this.#placed.some(({ id }) => id === placed.id)) return;
    this.#placed = [...this.#placed, placed];
  }

  forget(id: string): void {
    this.#placed = this.#placed.filter((each) => each.id !== id);
    this.#work.delete(id);
  }

  snapshot(through: number): readonly PlacedTombstone[] {
    return this.#placed.filter(({ position }) => position <= through);
  }

  /** Those that may match among some records of a tenant, all behind position `after`. */
  over(records: {
    readonly tenant: string;
    readonly internal: boolean;
    readonly timeMin: Moment;
    readonly timeMax: Moment;
    readonly after: number;
  }): readonly PlacedTombstone[] {
    // Mostly there are none, and this is asked of each part of a cut.
    if (this.#placed.length === 0 || records.internal) return [];
    return this.#placed.filter(
      ({ tenant, position, from, to }) =>
        tenant === records.tenant &&
        position > records.after &&
        momentCompare(records.timeMax, from) >= 0 &&
        momentCompare(records.timeMin, to) < 0,
    );
  }
}
