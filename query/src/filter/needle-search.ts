import type { Column, Template, Templates, Values } from "../../../kit/src/block.ts";
import { isWordByte } from "../../../kit/src/tokens.ts";
import { narrowToValues } from "./narrow-to-values.ts";
import { RowSet } from "./row-set.ts";
import { SubstringTest } from "./substring.ts";
import { matchesText, matchingValues, startsWith } from "./value-scan.ts";
import type { ValueTest } from "./value-test.ts";

/** Rows of one template, numbered in their order; undefined: none. */
export interface PieceRows {
  /** A variable of the row matches by itself. */
  readonly inside: RowSet | undefined;
  /** The needle may stand across a variable's end. */
  readonly across: RowSet | undefined;
}

const noRows: PieceRows = { inside: undefined, across: undefined };

/**
 * Looks for one needle in the variables of templates, where it lies in one of them or across their ends. A piece begins
 * and ends where no word is cut, so a needle within one word is never across.
 */
export class NeedleSearch {
  readonly #piece: ValueTest;
  readonly #needle: Buffer | undefined;
  /** Beginnings of the needle that may stand at the end of a piece, by what follows them. */
  readonly #splits: readonly Split[];

  private constructor(piece: ValueTest) {
    this.#piece = piece;
    this.#needle = piece.isInWord ? undefined : piece.needle;
    this.#splits = this.#needle === undefined ? [] : splitsOf(this.#needle, piece);
  }

  /** For a test that holds for a text as soon as it does for a piece of it. */
  static deciding(test: ValueTest): NeedleSearch {
    return new NeedleSearch(test);
  }

  /** For bytes that a text must contain. */
  static required(needle: Buffer): NeedleSearch {
    return new NeedleSearch(new SubstringTest(needle.toString()));
  }

  /** Whether a literal of a template has the needle. */
  isInLiteral(templates: Templates, number: number, memo: SearchMemo): boolean {
    if (!memo.mayBeInLiteral(this.#piece.needle, number)) return false;
    const { literals } = templates.templates[number] as Template;
    return literals.some((literal) => matchesText(this.#piece, literal));
  }

  /** The rows of a template in whose variables, or across whose ends, the needle stands. */
  inVariables(templates: Templates, number: number, memo: SearchMemo): PieceRows {
    const splits = memo.splitsIn(number, this, this.#splits);
    const mayHold = memo.mayContain(this.#piece.tokens);
    if (!mayHold && splits.length === 0) return noRows;
    // Dear to find out: all that is stored of the variables is searched for it.
    const holding = mayHold ? memo.holding(this.#piece.needle) : nowhere;
    const own = holding?.get(number);
    if (holding !== undefined && own === undefined && splits.length === 0) return noRows;
    const { literals, rowCount } = templates.templates[number] as Template;
    let inside: RowSet | undefined;
    let across: RowSet | undefined;
    const known = memo.valuesOf(this);
    for (let i = 0; i < literals.length - 1; i++) {
      const ends = endsAround(literals, splits, { number, i }, memo);
      const isAsked = holding === undefined || own?.includes(i) === true;
      if (!isAsked && ends === undefined) continue;
      const column = templates.variable(number, i);
      if (isAsked) inside = joined(inside, this.#matching(column, rowCount, known));
      if (ends !== undefined) across = joined(across, edgeRows(column, rowCount, ends));
    }
    return { inside, across };
  }

  #matching(column: Column, rowCount: number, known: Map<Values, RowSet>): RowSet {
    const rows = new RowSet(rowCount);
    narrowToValues(column, rows, (wanted) => {
      const values = column.values();
      let found = known.get(values);
      if (found === undefined) {
        found = matchingValues(this.#piece, values, wanted);
        known.set(values, found);
      }
      return found;
    });
    return rows;
  }
}

type Holding = ReturnType<Templates["variablesHolding"]>;

const nowhere: Holding = new Map();

/** What is found out about a block's variables once: words that they may contain, and values that several of them share. */
export class SearchMemo {
  readonly #templates: Templates;
  readonly #known = new Map<string, boolean>();
  readonly #values = new Map<NeedleSearch, Map<Values, RowSet>>();
  readonly #holding = new Map<Buffer, Holding>();
  readonly #literals = new Map<Buffer, ReadonlySet<number>>();
  readonly #splits = new Map<NeedleSearch, readonly PlacedSplit[]>();

  constructor(templates: Templates) {
    this.#templates = templates;
  }

  /** Which variables may hold the bytes; undefined: any. */
  holding(bytes: Buffer | undefined): Holding {
    if (bytes === undefined) return undefined;
    if (this.#holding.has(bytes)) return this.#holding.get(bytes);
    const found = this.#templates.variablesHolding(bytes);
    this.#holding.set(bytes, found);
    return found;
  }

  /** False: no literal of the template has the bytes. */
  mayBeInLiteral(bytes: Buffer | undefined, template: number): boolean {
    if (bytes === undefined) return true;
    let known = this.#literals.get(bytes);
    if (known === undefined) {
      known = this.#templates.templatesHolding(bytes);
      this.#literals.set(bytes, known);
    }
    return known.has(template);
  }

  /** Those of a needle's splits that may be in a template: a literal of it ends with the head, or a variable does. */
  splitsIn(template: number, needle: NeedleSearch, splits: readonly Split[]): readonly Split[] {
    let known = this.#splits.get(needle);
    if (known === undefined) {
      known = splits.map((split) => ({ split, isAnywhere: this.mayContain(split.headWord) }));
      this.#splits.set(needle, known);
    }
    const found: Split[] = [];
    for (const { split, isAnywhere } of known) {
      if (isAnywhere || this.mayBeInLiteral(split.head, template)) found.push(split);
    }
    return found;
  }

  /** Which values a needle was found in: variables that repeat a field have the values of its column. */
  valuesOf(needle: NeedleSearch): Map<Values, RowSet> {
    let known = this.#values.get(needle);
    if (known === undefined) {
      known = new Map();
      this.#values.set(needle, known);
    }
    return known;
  }

  mayContain(tokens: readonly string[]): boolean {
    if (tokens.length === 0) return true;
    const key = tokens.join(" ");
    let known = this.#known.get(key);
    if (known === undefined) {
      known = this.#templates.variablesMayContain(tokens);
      this.#known.set(key, known);
    }
    return known;
  }
}

/** A split, and whether variables of any template may end with its head. */
interface PlacedSplit {
  readonly split: Split;
  readonly isAnywhere: boolean;
}

/** A needle cut in two where no word is cut. */
interface Split {
  readonly head: Buffer;
  readonly tail: Buffer;
  /** The last word of the head, the first of the tail, where they are whole for certain. */
  readonly headWord: readonly string[];
  readonly tailWord: readonly string[];
}

function splitsOf(needle: Buffer, { bindsStart = false, bindsEnd = false }: ValueTest): Split[] {
  const splits: Split[] = [];
  for (let at = 1; at < needle.length; at++) {
    const [left, right] = [needle[at - 1] as number, needle[at] as number];
    if (isWordByte[left] === 1 && isWordByte[right] === 1) continue;
    const head = needle.subarray(0, at);
    const tail = needle.subarray(at);
    splits.push({
      head,
      tail,
      headWord: lastWord(head, bindsStart),
      tailWord: firstWord(tail, bindsEnd),
    });
  }
  return splits;
}

/** Where the head is one word, it may have begun before. */
function lastWord(head: Buffer, isWhole: boolean): readonly string[] {
  let from = head.length;
  while (from > 0 && isWordByte[head[from - 1] as number] === 1) from--;
  const word = head.toString("utf8", from);
  return word === "" || (from === 0 && !isWhole) ? [] : [word];
}

function firstWord(tail: Buffer, isWhole: boolean): readonly string[] {
  let to = 0;
  while (to < tail.length && isWordByte[tail[to] as number] === 1) to++;
  const word = tail.toString("utf8", 0, to);
  return word === "" || (to === tail.length && !isWhole) ? [] : [word];
}

/** Whether a text that goes on with the literal, and a variable if it is not the last, can go on with the tail. */
function fits(tail: Buffer, literal: Buffer, isLast: boolean): boolean {
  if (tail.length <= literal.length) return startsWith(literal, tail, 0);
  return !isLast && startsWith(tail, literal, 0);
}

function endsWith(bytes: Buffer, end: Buffer): boolean {
  return bytes.length >= end.length && startsWith(bytes, end, bytes.length - end.length);
}

/** How the needle may stand across an end of a variable; undefined: in no way. */
function endsAround(
  literals: readonly Buffer[],
  splits: readonly Split[],
  { number, i }: { readonly number: number; readonly i: number },
  memo: SearchMemo,
): Ends | undefined {
  if (splits.length === 0) return undefined;
  const before = literals[i] as Buffer;
  const after = literals[i + 1] as Buffer;
  const isLast = i === literals.length - 2;
  const starts: Buffer[] = [];
  const ends: Buffer[] = [];
  for (const { head, tail, headWord, tailWord } of splits) {
    const goesOn = fits(tail, after, isLast);
    // Where the variable is empty the literals around it adjoin.
    if (endsWith(before, head) && (goesOn || memo.mayContain(tailWord))) starts.push(tail);
    if (!goesOn || !memo.mayContain(headWord)) continue;
    const holding = memo.holding(head);
    if (holding === undefined || holding.get(number)?.includes(i) === true) ends.push(head);
  }
  return starts.length + ends.length === 0 ? undefined : { starts, ends };
}

/** What a variable begins with when the needle began before it, and ends with when the needle goes on behind it. */
interface Ends {
  readonly starts: readonly Buffer[];
  readonly ends: readonly Buffer[];
}

function edgeRows(column: Column, rowCount: number, ends: Ends): RowSet {
  const rows = new RowSet(rowCount);
  narrowToValues(column, rows, (wanted) => {
    const found = RowSet.empty(wanted.rowCount);
    const values = column.values();
    for (let i = wanted.next(0); i >= 0; i = wanted.next(i + 1)) {
      if (hasEnd(values, i, ends)) found.add(i);
    }
    return found;
  });
  return rows;
}

function hasEnd({ bytes, offsets }: Values, i: number, { starts, ends }: Ends): boolean {
  const from = offsets[i] as number;
  const to = offsets[i + 1] as number;
  for (const end of ends) {
    if (to - from >= end.length && startsWith(bytes, end, to - end.length)) return true;
  }
  for (const start of starts) {
    // A shorter variable may be all of it up to the next literal.
    const length = Math.min(start.length, to - from);
    let at = 0;
    while (at < length && bytes[from + at] === start[at]) at++;
    if (at === length) return true;
  }
  return false;
}

function joined(rows: RowSet | undefined, more: RowSet): RowSet | undefined {
  if (more.isEmpty) return rows;
  if (rows === undefined) return more;
  rows.or(more);
  return rows;
}
