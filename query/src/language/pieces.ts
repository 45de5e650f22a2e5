/** A piece of a query that need not be whole: a word, a quoted text (perhaps still open), a sign. */
export interface Piece {
  readonly kind: "word" | "string" | "mark";
  /** A quoted text without its quotes, its escapes as they stand. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const blank = /(?:\s+|#[^\n]*(?:\n|$))*/y;
const quoted = /"(?:[^"\\]|\\[\s\S])*"?|'(?:[^'\\]|\\[\s\S])*'?|`[^`]*`?/y;
const mark = /!=|!~|=~|<=|>=|[()[\]{},|:*=!<>~^%&+]/y;
const word = /[^\s"'`()[\]{},|:*=!<>~^%&+]+/y;

/** Cuts a text into pieces; whatever it is, it is cut to its end. */
export function piecesOf(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (;;) {
    at += matchAt(blank, text, at).length;
    if (at >= text.length) return pieces;
    const [kind, found] = pieceAt(text, at);
    const end = at + found.length;
    pieces.push({ kind, text: kind === "string" ? unquoted(found) : found, start: at, end });
    at = end;
  }
}

function pieceAt(text: string, at: number): readonly [Piece["kind"], string] {
  const string = matchAt(quoted, text, at);
  if (string !== "") return ["string", string];
  const sign = matchAt(mark, text, at);
  return sign === "" ? ["word", matchAt(word, text, at)] : ["mark", sign];
}

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}

function unquoted(text: string): string {
  const quote = text[0] as string;
  const isClosed = text.length > 1 && text.endsWith(quote);
  return text.slice(1, isClosed ? -1 : undefined);
}
