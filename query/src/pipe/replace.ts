import type { Pattern } from "../regex/pattern.ts";

/** The text with `old` replaced, at most `limit` times from the left. */
export function replaceText(text: string, old: string, by: string, limit = Infinity): string {
  if (old === "" || limit < 1) return text;
  if (limit === Infinity) return text.replaceAll(old, () => by);
  let result = "";
  let at = 0;
  for (let count = 0; count < limit; count++) {
    const found = text.indexOf(old, at);
    if (found < 0) break;
    result += text.slice(at, found) + by;
    at = found + old.length;
  }
  return result + text.slice(at);
}

/** A replacement as RE2 has it: `$1`, `${1}`, `${name}`, and `$$` for a dollar; a name is as long as it can be. */
export class Replacement {
  readonly #parts: readonly (string | { readonly group: string })[];

  constructor(text: string) {
    const parts: (string | { readonly group: string })[] = [];
    let at = 0;
    for (const match of text.matchAll(/\$(?:\$|(\w+)|\{(\w+)\})/g)) {
      parts.push(text.slice(at, match.index));
      const group = match[1] ?? match[2];
      parts.push(group === undefined ? "$" : { group });
      at = match.index + match[0].length;
    }
    parts.push(text.slice(at));
    this.#parts = parts;
  }

  /** With the texts of a match's groups put in; a group that there is not, or that took no part, is empty. */
  expand(groupOf: (name: string) => string): string {
    return this.#parts
      .map((part) => (typeof part === "string" ? part : groupOf(part.group)))
      .join("");
  }
}

/** The text with what matches replaced, at most `limit` times from the left. */
export function replacePattern(
  text: string,
  pattern: Pattern,
  replacement: Replacement,
  limit = Infinity,
): string {
  if (pattern.literal !== undefined && !text.includes(pattern.literal.text)) return text;
  let result = "";
  let at = 0;
  let count = 0;
  for (const match of pattern.matches(text)) {
    // As RE2 does: nothing, right behind what was replaced, is no match of its own.
    if (match.start === match.end && match.start === at && count > 0) continue;
    if (count++ >= limit) break;
    result += text.slice(at, match.start) + replacement.expand(match.group);
    at = match.end;
  }
  return result + text.slice(at);
}
