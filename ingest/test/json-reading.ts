import type { Prng } from "../../kit/src/prng.ts";

/*
 * JSON lines read slowly: by JSON.parse and a naive walk. And lines with mistakes in them.
 */

/** What a record has to say. */
export interface Expected {
  readonly fields: Map<string, string>;
  /** Names of fields that are arrays: stored as they were written, compared by what they say. */
  readonly arrays: Set<string>;
}

/** What JSON.parse and a naive walk make of the line; undefined: it is no record. */
export function expected(line: string): Expected | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line, withSource);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return undefined;
  if (parsed instanceof NumberSource || !isWellFormed(parsed)) return undefined;
  const made = { fields: new Map<string, string>(), arrays: new Set<string>() };
  flatten(undefined, parsed, made);
  return made;
}

class NumberSource {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A reviver that keeps numbers as they are written. */
function withSource(_: string, each: unknown, context?: { readonly source?: string }): unknown {
  return typeof each === "number" ? new NumberSource(context?.source ?? String(each)) : each;
}

function isWellFormed(each: unknown): boolean {
  if (typeof each === "string") return each.isWellFormed();
  if (typeof each !== "object" || each === null) return true;
  return Object.entries(each).every(([name, inner]) => name.isWellFormed() && isWellFormed(inner));
}

function flatten(prefix: string | undefined, from: object, made: Expected): void {
  const { fields, arrays } = made;
  for (const [name, each] of Object.entries(from)) {
    const path = prefix === undefined ? name : `${prefix}.${name}`;
    // A name given twice: the last counts, and null or nothing takes it back.
    if (each === null) fields.delete(path);
    else if (each instanceof NumberSource) fields.set(path, each.text);
    else if (Array.isArray(each)) {
      fields.set(path, comparable(each));
      arrays.add(path);
    } else if (typeof each === "object") flatten(path, each as object, made);
    else fields.set(path, String(each));
  }
}

function comparable(each: unknown): string {
  return JSON.stringify(each, (_, inner: unknown) =>
    inner instanceof NumberSource ? { number: inner.text } : inner,
  );
}

/** The text of an array as `expected` gives it; any other text as it is. */
export function comparableArray(text: string): string {
  if (!text.startsWith("[")) return text;
  try {
    return comparable(JSON.parse(text, withSource));
  } catch {
    return text;
  }
}

/** The fields of a record, arrays in a form that can be compared. */
export function stored(
  fields: Readonly<Record<string, string>>,
  like: Expected,
): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, text] of Object.entries(fields)) {
    found.set(name, like.arrays.has(name) ? comparable(JSON.parse(text, withSource)) : text);
  }
  return found;
}

/** Mutations that make a name twice, or one path by two ways: JSON.parse drops what a stream has seen. */
export function ambiguous(line: string): boolean {
  try {
    const paths = new Set<string>();
    let isTwice = false;
    const walk = (prefix: string, from: object): void => {
      for (const [name, each] of Object.entries(from)) {
        const path = `${prefix}.${name}`;
        if (paths.has(path)) isTwice = true;
        paths.add(path);
        if (typeof each === "object" && each !== null && !Array.isArray(each)) walk(path, each);
      }
    };
    const parsed = JSON.parse(line) as object;
    walk("", parsed);
    return isTwice || countNames(JSON.stringify(parsed)) !== countNames(line);
  } catch {
    return false;
  }
}

function countNames(line: string): number {
  return line.replace(/"(?:[^"\\]|\\.)*"/g, '""').split(":").length;
}

export function sorted(map: ReadonlyMap<string, string>): [string, string][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

const noise = [
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ":",
  ",",
  "0",
  "-",
  ".",
  "e",
  "u",
  "d8",
  " ",
  "\u0001",
  "é",
  "t",
  "n",
];

/** A small change at a random place, mostly one that breaks the line. */
export function mutate(random: Prng, line: string): string {
  const at = random.below(line.length + 1);
  const length = random.below(3);
  if (random.chance(0.4)) return line.slice(0, at) + line.slice(at + 1 + length);
  if (random.chance(0.7)) return line.slice(0, at) + random.pick(noise) + line.slice(at + length);
  return line.slice(0, at);
}
