import type { Templates } from "../../../kit/src/block.ts";
import { NeedleSearch, SearchMemo } from "./needle-search.ts";
import { RowSet } from "./row-set.ts";
import type { ValueTest } from "./value-test.ts";

/** What templates and variables tell of a block's rows. */
export interface TemplateRows {
  readonly matched: RowSet;
  /** Rows that may match: their texts decide. */
  readonly open: RowSet;
}

/**
 * A test on texts that are stored as templates and variables: literals are looked at once for all their rows, variables
 * once for each distinct value, and only where they may hold words that are missing from the literals.
 */
export class TemplateSearch {
  readonly #decides: boolean;
  readonly #needles: readonly NeedleSearch[];

  private constructor(decides: boolean, needles: readonly NeedleSearch[]) {
    this.#decides = decides;
    this.#needles = needles;
  }

  /** Undefined for a test to which only whole texts tell something. */
  static of(test: ValueTest): TemplateSearch | undefined {
    if (test.piecesDecide) {
      const isSearched = test.needle !== undefined || test.isInWord;
      return isSearched ? new TemplateSearch(true, [NeedleSearch.deciding(test)]) : undefined;
    }
    const needles = test.needle === undefined ? test.others : [test.needle, ...test.others];
    if (needles.length === 0) return undefined;
    return new TemplateSearch(false, needles.map(NeedleSearch.required));
  }

  rows(templates: Templates, rowCount: number): TemplateRows {
    const memo = new SearchMemo(templates);
    const marks = templates.templates.map((_, number) =>
      this.#decides
        ? this.#decided(templates, number, memo)
        : this.#possible(templates, number, memo),
    );
    return rowsOf(templates, marks, rowCount);
  }

  #decided(templates: Templates, number: number, memo: SearchMemo): Marks {
    const template = templates.templates[number];
    const needle = this.#needles[0];
    if (template === undefined || needle === undefined || template.rowCount === 0) return none;
    if (needle.isInLiteral(templates, number, memo)) return { matched: "all", open: undefined };
    const { inside, across } = needle.inVariables(templates, number, memo);
    return { matched: inside, open: across };
  }

  /** Rows that have all of the needles, one by one. */
  #possible(templates: Templates, number: number, memo: SearchMemo): Marks {
    const template = templates.templates[number];
    if (template === undefined || template.rowCount === 0) return none;
    let open: RowSet | undefined;
    for (const needle of this.#needles) {
      if (needle.isInLiteral(templates, number, memo)) continue;
      const { inside, across } = needle.inVariables(templates, number, memo);
      if (inside === undefined && across === undefined) return none;
      const found = new RowSet(template.rowCount);
      if (inside === undefined || across === undefined) found.and((inside ?? across) as RowSet);
      else {
        found.and(inside);
        found.or(across);
      }
      if (open === undefined) open = found;
      else open.and(found);
      if (open.isEmpty) return none;
    }
    return { matched: undefined, open: open ?? "all" };
  }
}

/** Of one template's rows, numbered in their order. */
interface Marks {
  readonly matched: RowSet | "all" | undefined;
  readonly open: RowSet | "all" | undefined;
}

const none: Marks = { matched: undefined, open: undefined };

/** From the rows of each template to those of the block. */
function rowsOf(templates: Templates, marks: readonly Marks[], rowCount: number): TemplateRows {
  const matched = RowSet.empty(rowCount);
  const open = RowSet.empty(rowCount);
  if (marks.every((each) => each.matched === undefined && each.open === undefined)) {
    return { matched, open };
  }
  const { codes } = templates;
  const seen = new Uint32Array(marks.length);
  const kinds = Uint8Array.from(marks, kindOf);
  for (let row = 0; row < rowCount; row++) {
    const code = codes[row] as number;
    const kind = kinds[code];
    if (kind === kindNone) continue;
    if (kind === kindMatched) matched.add(row);
    else if (kind === kindOpen) open.add(row);
    else {
      const own = seen[code] as number;
      seen[code] = own + 1;
      const mark = marks[code] as Marks;
      if ((mark.matched as RowSet | undefined)?.has(own) === true) matched.add(row);
      else if ((mark.open as RowSet | undefined)?.has(own) === true) open.add(row);
    }
  }
  return { matched, open };
}

const kindNone = 0;
const kindMatched = 1;
const kindOpen = 2;
const kindRows = 3;

function kindOf({ matched, open }: Marks): number {
  if (matched === "all") return kindMatched;
  if (open === "all") return kindOpen;
  return matched === undefined && open === undefined ? kindNone : kindRows;
}
