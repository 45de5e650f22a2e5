import type { View } from "../table/view.ts";
import type { GroupedRows, StatsPartial, StatsState } from "./function.ts";

interface PrefixedFields {
  readonly args: readonly string[];
  readonly prefixes: readonly string[];
  /** Rows of a block without any of the fields count too. */
  readonly countsAbsent: boolean;
}

/** `sum(a, b.*)`: a function over fields of which each block knows which there are; what it finds is merged block by block. */
export class PrefixedState implements StatsState {
  readonly #inner: (fields: readonly string[]) => StatsState;
  readonly #merged: StatsState;
  readonly #fields: readonly string[];
  readonly #prefixes: readonly string[];
  readonly #countsAbsent: boolean;

  /** `inner` makes an empty state over these fields; all its states can be merged with each other. */
  constructor(
    inner: (fields: readonly string[]) => StatsState,
    { args, prefixes, countsAbsent }: PrefixedFields,
  ) {
    this.#inner = inner;
    this.#merged = inner(args);
    this.#fields = args;
    this.#prefixes = prefixes;
    this.#countsAbsent = countsAbsent;
  }

  get byteSize(): number {
    return this.#merged.byteSize;
  }

  add(view: View, rows: GroupedRows): void {
    const names = namesIn(view, this.#fields, this.#prefixes);
    if (names.length === 0 && !this.#countsAbsent) return;
    const own = this.#inner(names);
    own.add(view, rows);
    const same = Uint32Array.from({ length: rows.groupCount }, (_, group) => group);
    this.#merged.merge(own.export(), same);
  }

  export(): StatsPartial {
    return this.#merged.export();
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    this.#merged.merge(partial, groupOf);
  }

  finish(group: number): string {
    return this.#merged.finish(group);
  }
}

/** The fields, and those of the view that begin so; each once. */
export function namesIn(
  view: View,
  fields: readonly string[],
  prefixes: readonly string[],
): readonly string[] {
  const begun = view.names.filter((name) => prefixes.some((prefix) => name.startsWith(prefix)));
  return [...new Set([...fields, ...begun])];
}
