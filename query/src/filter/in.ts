import type { Block } from "../../../kit/src/block.ts";
import { wordsOf } from "../../../kit/src/tokens.ts";
import { costs, type Filter } from "./filter.ts";
import type { RowSet } from "./row-set.ts";
import { ValueFilter } from "./value-filter.ts";
import type { ValueTest } from "./value-test.ts";

/** Values whose words are looked up before a block is read; more would cost more than they spare. */
const prunedValuesMax = 64;

/** `in(a, b)`: the whole value is one of these. */
export class InFilter implements Filter {
  readonly cost = costs.text;
  readonly #field: string;
  readonly #tokens: readonly (readonly string[])[] | undefined;
  readonly #inner: ValueFilter;

  constructor(field: string, values: readonly string[], text: string) {
    this.#field = field;
    this.#inner = new ValueFilter(field, new InTest(values), text);
    const tokens = values.length <= prunedValuesMax ? values.map(wordsOf) : [[]];
    // A value without words, or the empty one, may be anywhere.
    this.#tokens = tokens.some(({ length }) => length === 0) ? undefined : tokens;
  }

  mayMatch(block: Block): boolean {
    return this.#tokens?.some((tokens) => block.mayContain(this.#field, tokens)) ?? true;
  }

  narrow(block: Block, rows: RowSet): void {
    if (this.mayMatch(block)) this.#inner.narrow(block, rows);
    else rows.clear();
  }

  toString(): string {
    return this.#inner.toString();
  }
}

class InTest implements ValueTest {
  readonly cost = costs.text;
  readonly needle = undefined;
  readonly others = [];
  readonly tokens = [];
  readonly matchesEmpty: boolean;
  readonly decidesAtFirst = true;
  readonly piecesDecide = false;
  readonly isInWord = false;
  readonly #values: ReadonlySet<string>;
  readonly #lengths: ReadonlySet<number>;

  constructor(values: readonly string[]) {
    this.#values = new Set(values);
    this.#lengths = new Set(values.map((value) => Buffer.byteLength(value)));
    this.matchesEmpty = this.#values.has("");
  }

  matches(bytes: Buffer, from: number, to: number): boolean {
    return this.#lengths.has(to - from) && this.#values.has(bytes.toString("utf8", from, to));
  }
}
