import {
  type CompletionItem,
  fieldlessPipes,
  filterItems,
  isMath,
  logicItems,
  mathItems,
  pipeItems,
  statsItems,
  stepItems,
  timeItems,
  wordsOfPipe,
} from "./complete-words.ts";
import { isStatsName } from "./parse-stats.ts";
import { type Piece, piecesOf } from "./pieces.ts";

/** What can stand at a place of a query, as far as the text alone says. */
export interface Completion {
  /** The part of the text that an item takes the place of, as offsets. */
  readonly from: number;
  readonly to: number;
  /** What was begun there, without its quote. */
  readonly begun: string;
  /** Fixed words that begin so. */
  readonly items: readonly CompletionItem[];
  /** Set where a field's name may stand; with `colon` one that a filter goes on behind. */
  readonly fields: { readonly colon: boolean } | undefined;
  /** Set where a value of this field may stand. */
  readonly valuesOf: string | undefined;
}

/** Says what can stand at `cursor`, an offset of the text; the text need not be a whole query. Never throws. */
export function complete(text: string, cursor: number): Completion {
  const end = Math.max(0, Math.min(cursor, text.length));
  const pieces = piecesOf(text.slice(0, end));
  const last = pieces.at(-1);
  const isBegun = last !== undefined && last.kind !== "mark" && last.end === end;
  const before = isBegun ? pieces.slice(0, -1) : pieces;
  const from = isBegun ? last.start : end;
  const begun = isBegun ? last.text : "";
  const place = placeOf(before);
  const wanted = begun.toLowerCase();
  // Within quotes a fixed word would be a text.
  const isQuoted = isBegun && last.kind === "string";
  const items = isQuoted ? [] : place.items.filter((item) => item.text.startsWith(wanted));
  const to = end + (/^[\w.$@-]*/.exec(text.slice(end))?.[0].length ?? 0);
  return { from, to, begun, items, fields: place.fields, valuesOf: place.valuesOf };
}

type Place = Pick<Completion, "items" | "fields" | "valuesOf">;

const nothing: Place = { items: [], fields: undefined, valuesOf: undefined };

/** A parenthesis that is open, or the whole query. */
interface Frame {
  /** What stands within: a query, a filter, fields, values of a field, arguments of math, labels of streams. */
  readonly kind: "query" | "filter" | "fields" | "values" | "math" | "labels" | "other";
  /** Of `filter` and `values`: the field that is asked. */
  readonly field: string | undefined;
  /** The pieces since its beginning, or since the last `|` of a query. */
  pieces: Piece[];
  /** Of a query: no `|` yet. */
  isFilter: boolean;
}

function placeOf(pieces: readonly Piece[]): Place {
  const frames: Frame[] = [frameOf("query", undefined)];
  for (const piece of pieces) {
    const frame = frames.at(-1) as Frame;
    if (piece.kind === "mark" && "([{".includes(piece.text)) {
      frames.push(opened(frame, piece));
      continue;
    }
    if (piece.kind === "mark" && ")]}".includes(piece.text)) {
      if (frames.length > 1) frames.pop();
      frames.at(-1)?.pieces.push(piece);
      continue;
    }
    if (piece.kind === "mark" && piece.text === "|" && frame.kind === "query") {
      frame.pieces = [];
      frame.isFilter = false;
      continue;
    }
    frame.pieces.push(piece);
    // `in(error | …`: what looked like values is a query.
    if (piece.text === "|" && frame.kind === "values") {
      frames[frames.length - 1] = { ...frameOf("query", undefined), isFilter: false };
    }
  }
  return placeIn(frames.at(-1) as Frame);
}

function frameOf(kind: Frame["kind"], field: string | undefined): Frame {
  return { kind, field, pieces: [], isFilter: true };
}

/** What a bracket opens, by what stands before it. */
function opened(frame: Frame, bracket: Piece): Frame {
  if (bracket.text === "{") return frameOf("labels", undefined);
  if (bracket.text === "[") return frameOf("other", undefined);
  const name = frame.pieces.at(-1);
  const word = name?.kind === "word" ? name.text.toLowerCase() : "";
  const isAdjacent = name?.end === bracket.start;
  const takesFilter = frame.kind === "filter" || (frame.kind === "query" && isFilterPlace(frame));
  if (takesFilter) {
    const isCall = isAdjacent && word !== "";
    const field = fieldBefore(isCall ? frame.pieces.slice(0, -1) : frame.pieces) ?? frame.field;
    if (!isCall) return frameOf("filter", field);
    const isList = ["in", "contains_any", "contains_all"].includes(word);
    if (isList) return frameOf("values", field ?? "_msg");
    return frameOf(word.endsWith("_field") ? "fields" : "other", field);
  }
  if (word === "if") return frameOf("filter", undefined);
  const pipe = frame.pieces[0]?.text.toLowerCase() ?? "";
  const opensQuery = pipe === "union" || (pipe === "join" && name?.text === ")");
  if (opensQuery) return frameOf("query", undefined);
  if (isMath(pipe) || frame.kind === "math") return frameOf("math", undefined);
  return frameOf(pipe === "replace" || pipe === "replace_regexp" ? "other" : "fields", undefined);
}

/** Whether a filter goes on at the end of a query's pieces. */
function isFilterPlace({ isFilter, pieces }: Frame): boolean {
  const first = pieces[0]?.text.toLowerCase();
  return isFilter || first === "filter" || first === "where";
}

/** The field of a `field:` that the pieces end with. */
function fieldBefore(pieces: readonly Piece[]): string | undefined {
  const marks = ["=", "!=", "~", "=~", "!~", "!", "<", ">", "<=", ">="];
  const at = pieces.findLastIndex(({ kind, text }) => kind !== "mark" || !marks.includes(text));
  const [name, colon] = [pieces[at - 1], pieces[at]];
  if (colon?.kind !== "mark" || colon.text !== ":" || name === undefined) return undefined;
  return name.kind === "mark" ? undefined : name.text;
}

function placeIn(frame: Frame): Place {
  const { pieces } = frame;
  const colonField = fieldBefore(pieces);
  switch (frame.kind) {
    case "filter":
      return filterPlace(pieces, frame.field);
    case "values":
      return { ...nothing, valuesOf: frame.field };
    case "fields":
      if (colonField === "_time") return { ...nothing, items: stepItems };
      return colonField === undefined ? { ...nothing, fields: { colon: false } } : nothing;
    case "math":
      return { ...nothing, items: mathItems, fields: { colon: false } };
    case "labels":
      return labelsPlace(pieces);
    case "other":
      return nothing;
    case "query":
      return isFilterPlace(frame)
        ? filterPlace(frame.isFilter ? pieces : pieces.slice(1), undefined)
        : pipePlace(pieces);
  }
}

function filterPlace(pieces: readonly Piece[], field: string | undefined): Place {
  const asked = fieldBefore(pieces) ?? field;
  if (asked === "_time") return { ...nothing, items: timeItems };
  if (fieldBefore(pieces) !== undefined) {
    return { items: filterItems, fields: undefined, valuesOf: asked };
  }
  const items =
    pieces.length === 0 ? [...filterItems, ...notItems] : [...logicItems, ...filterItems];
  if (field !== undefined) return { items, fields: undefined, valuesOf: field };
  return { items, fields: { colon: true }, valuesOf: undefined };
}

const notItems = logicItems.filter(({ text }) => text === "not");

function labelsPlace(pieces: readonly Piece[]): Place {
  const operator = pieces.at(-1);
  const label = pieces.at(-2);
  const isValue = operator?.kind === "mark" && ["=", "!=", "=~", "!~"].includes(operator.text);
  if (isValue && label !== undefined) return { ...nothing, valuesOf: label.text };
  return { ...nothing, fields: { colon: false } };
}

function pipePlace(pieces: readonly Piece[]): Place {
  const [first, ...rest] = pieces;
  if (first === undefined) return { ...nothing, items: pipeItems, fields: { colon: true } };
  const pipe = first.text.toLowerCase();
  const words = wordsOfPipe(isStatsName(pipe) ? "stats" : pipe);
  if (pipe === "stats" || pipe === "by" || isStatsName(pipe)) {
    const last = rest.at(-1)?.text;
    const begins = rest.length === 0 || last === "," || (last === ")" && !isCalled(rest));
    return { ...nothing, items: begins ? [...statsItems, ...words] : words };
  }
  if (isMath(pipe))
    return { ...nothing, items: [...mathItems, ...words], fields: { colon: false } };
  if (fieldlessPipes.has(pipe)) return { ...nothing, items: words };
  return { ...nothing, items: words, fields: { colon: false } };
}

/** Whether a function's name stands in what follows `stats`, so that its parenthesis has been closed. */
function isCalled(pieces: readonly Piece[]): boolean {
  return pieces.some(({ kind, text }) => kind === "word" && isStatsName(text.toLowerCase()));
}
