import type { Column } from "../../../kit/src/block.ts";
import { CountState } from "../stats/count.ts";
import type { StatsPartial } from "../stats/function.ts";
import { ValuesColumn, valuesOf } from "../table/column.ts";
import { Grouper, type GrouperData } from "../table/grouper.ts";
import { TableBlock } from "../table/table-block.ts";
import { View } from "../table/view.ts";
import { allRows, type GatherPipe, type Rows } from "./pipe.ts";

export interface UniqOptions {
  readonly by: readonly string[];
  /** The name of the count, undefined: not shown. */
  readonly hitsAs: string | undefined;
  readonly limit: number | undefined;
  /** The name of the place, from 1; undefined: not shown. */
  readonly rankAs?: string | undefined;
  /** Most frequent first, equal ones by their values; else in order of first appearance. */
  readonly byHits: boolean;
  /** Rows where all the fields are empty count too. */
  readonly keepsEmpty: boolean;
}

interface UniqPartial {
  readonly groups: GrouperData;
  readonly counts: StatsPartial;
}

/** Combinations of fields, each once, with how many rows have it: `uniq`, `top`, `field_values`. */
export class UniqPipe implements GatherPipe {
  readonly #options: UniqOptions;
  readonly #grouper: Grouper;
  readonly #counts = new CountState([], false);

  constructor(options: UniqOptions) {
    this.#options = options;
    this.#grouper = new Grouper(options.by.map((field) => ({ field, bucket: undefined })));
  }

  get byteSize(): number {
    return this.#grouper.byteSize + this.#counts.byteSize;
  }

  add({ view, rows }: Rows): void {
    if (rows.length === 0) return;
    const { groups, hits } = this.#grouper.tally(view, rows);
    this.#counts.addCounted(hits, { groups, groupCount: this.#grouper.size });
  }

  addCounted({ view, rows }: Rows, counts: Float64Array): void {
    const groups = this.#grouper.groupsOf(view, rows);
    this.#counts.addCounted(counts, { groups, groupCount: this.#grouper.size });
  }

  export(): UniqPartial {
    return { groups: this.#grouper.export(), counts: this.#counts.export() };
  }

  merge(partial: unknown): void {
    const { groups, counts } = partial as UniqPartial;
    this.#counts.merge(counts, this.#grouper.merge(groups));
  }

  finish(): Rows {
    const { by, hitsAs, rankAs } = this.#options;
    const groups = this.#chosen();
    const columns = new Map<string, Column>();
    for (const [k, field] of by.entries()) {
      columns.set(
        field,
        columnOf(groups, (group) => this.#grouper.text(group, k)),
      );
    }
    if (hitsAs !== undefined) {
      columns.set(
        hitsAs,
        columnOf(groups, (group) => this.#counts.finish(group)),
      );
    }
    if (rankAs !== undefined) {
      columns.set(rankAs, new ValuesColumn("rows", valuesOf(groups.map((_, i) => String(i + 1)))));
    }
    const view = View.table(new TableBlock({ rowCount: groups.length, columns }));
    return { view, rows: allRows(groups.length) };
  }

  #chosen(): number[] {
    const { by, limit, byHits, keepsEmpty } = this.#options;
    const keys = by.map((_, k) => k);
    const textOf = (group: number) => keys.map((k) => this.#grouper.text(group, k));
    let groups = Array.from({ length: this.#grouper.size }, (_, group) => group);
    if (!keepsEmpty) groups = groups.filter((group) => textOf(group).some((text) => text !== ""));
    if (byHits) {
      groups.sort(
        (a, b) =>
          this.#counts.value(b) - this.#counts.value(a) || compareTexts(textOf(a), textOf(b)),
      );
    }
    return groups.slice(0, limit ?? groups.length);
  }
}

function compareTexts(a: readonly string[], b: readonly string[]): number {
  for (const [i, text] of a.entries()) {
    const other = b[i] ?? "";
    if (text !== other) return text < other ? -1 : 1;
  }
  return 0;
}

function columnOf(groups: readonly number[], textOf: (group: number) => string): Column {
  return new ValuesColumn("rows", valuesOf(groups.map(textOf)));
}
