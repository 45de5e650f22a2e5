import { ServiceError } from "../../../kit/src/errors.ts";

export interface SyntaxHint {
  /** What could stand there, in words. */
  readonly expected?: string | undefined;
  /** What to write in its place. */
  readonly suggestion?: string | undefined;
}

/** A `query.syntax` error at an offset of the text; line and column count from 1, columns in characters. */
export function syntaxError(
  source: string,
  offset: number,
  message: string,
  { expected, suggestion }: SyntaxHint = {},
): ServiceError {
  const before = source.slice(0, offset).split("\n");
  const near = source.slice(offset, offset + 24).split("\n")[0] ?? "";
  return new ServiceError("query.syntax", message, {
    line: before.length,
    column: [...(before.at(-1) ?? "")].length + 1,
    near: near === "" ? "the end of the query" : near,
    ...(expected === undefined ? {} : { expected }),
    ...(suggestion === undefined ? {} : { suggestion }),
  });
}

/** The candidate that a typing mistake would make of the word; undefined when none is near. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = word.toLowerCase().slice(0, 64);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Letters to insert, delete, replace, or swap with their neighbour. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (beforeLast[j - 2] as number) + 1);
      }
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] as number;
}
