import type { Block } from "../../../kit/src/block.ts";
import {
  emptyProfile,
  type Profile,
  type PruneReason,
  type Tally,
  type WorkerStage,
} from "./profile.ts";
import { Asked, AskedBlock } from "./watched-block.ts";

/** Watches a worker evaluate parts of one query. Only queries that are analysed have one, so that all others pay nothing. */
export class Probe {
  #profile = emptyProfile();
  #lapMs = 0;
  /** Of the block that is looked at, and of all of the piece. */
  #asked = new Asked();
  #watched: Asked[] = [];
  #rowCount = 0;

  /** A piece of work is begun, perhaps once more. */
  begin(): void {
    this.#profile = emptyProfile();
    this.#watched = [];
    this.#lapMs = performance.now();
  }

  /** The piece is done. */
  end(): Profile {
    this.lap("answer");
    for (const asked of this.#watched) this.#addDecoded(asked);
    this.#watched = [];
    this.#profile.tasks = 1;
    return this.#profile;
  }

  /** The time since the last lap was spent on this. */
  lap(stage: WorkerStage): void {
    const now = performance.now();
    this.#profile.ms[stage] += now - this.#lapMs;
    this.#lapMs = now;
  }

  /** The block to read instead of this one. */
  watch(block: Block): Block {
    this.#asked = new Asked();
    this.#watched.push(this.#asked);
    this.#rowCount = block.rowCount;
    return new AskedBlock(block, this.#asked);
  }

  /** The block lies outside the wanted times. */
  skipped(): void {
    this.#count(this.#profile.pruned.time);
  }

  /** The filter has left so many rows of the block. */
  filtered(rows: number): void {
    this.lap("filter");
    this.#profile.matched += rows;
    const reason = rows === 0 ? this.#pruneReason() : undefined;
    this.#count(reason === undefined ? this.#profile.scanned : this.#profile.pruned[reason]);
  }

  /** Only now, since rows that are answered are decoded last. */
  #addDecoded({ decoded }: Asked): void {
    const sums = this.#profile.decoded;
    for (const [field, kinds] of decoded) {
      const known = Object.hasOwn(sums, field) ? sums[field] : undefined;
      const bytes = [...kinds.values()].reduce((sum, each) => sum + each, 0);
      sums[field] = { blocks: (known?.blocks ?? 0) + 1, bytes: (known?.bytes ?? 0) + bytes };
    }
  }

  /** Nothing left without a column's content: then what was looked at last was why. */
  #pruneReason(): PruneReason | undefined {
    const fields = [...this.#asked.decoded.keys()];
    // The names of a block's fields stand in its header.
    if (fields.length === 0) return this.#asked.last ?? "header";
    // Of a message of templates only which row has which was read, or nothing but times, which ruled all out.
    if (fields.length === 1 && fields[0] === "_time") return this.#asked.last ?? "time";
    const kinds = [...this.#asked.decoded.values()].flatMap((each) => [...each.keys()]);
    return kinds.every((kind) => kind === "template codes") ? "template" : undefined;
  }

  #count(tally: Tally): void {
    tally.blocks++;
    tally.rows += this.#rowCount;
  }
}
