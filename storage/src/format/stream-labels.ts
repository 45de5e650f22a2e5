import type { StreamLabels } from "../../../kit/src/block.ts";
import { damaged } from "./damage.ts";

const bareName = /^[^\s"{}=,\\]+$/;
const pairPattern = /(?:"((?:[^"\\]|\\.)*)"|([^\s"{}=,\\]+))="((?:[^"\\]|\\.)*)"/y;

/**
 * The canonical text of a stream: pairs sorted by name (UTF-16 code units), values quoted as JSON does,
 * names too where they hold white space or one of `"{}=,\`. Pairs with an empty value are left out.
 */
export function printStream(pairs: Iterable<readonly [string, string]>): string {
  const sorted = [...pairs]
    .filter(([, value]) => value !== "")
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const parts = sorted.map(([name, value]) => {
    const printed = bareName.test(name) ? name : JSON.stringify(name);
    return `${printed}=${JSON.stringify(value)}`;
  });
  return `{${parts.join(",")}}`;
}

/** The pairs of a canonical text; `storage.damaged` when it is not one. */
export function parseStream(text: string): Map<string, string> {
  const pairs = new Map<string, string>();
  if (!text.startsWith("{") || !text.endsWith("}") || text.length < 2) throw notStream(text);
  if (text === "{}") return pairs;
  let at = 1;
  while (true) {
    pairPattern.lastIndex = at;
    const match = pairPattern.exec(text);
    if (match === null) throw notStream(text);
    const name = match[2] ?? unquoted(match[1] ?? "", text);
    pairs.set(name, unquoted(match[3] ?? "", text));
    at = pairPattern.lastIndex;
    if (at === text.length - 1) return pairs;
    if (text[at] !== ",") throw notStream(text);
    at++;
  }
}

/** A stream's labels whose pairs are parsed when they are first asked for. */
export function streamLabels(text: string): StreamLabels {
  return new LazyLabels(text);
}

class LazyLabels implements StreamLabels {
  readonly text: string;
  #pairs: ReadonlyMap<string, string> | undefined;

  constructor(text: string) {
    this.text = text;
  }

  get pairs(): ReadonlyMap<string, string> {
    this.#pairs ??= parseStream(this.text);
    return this.#pairs;
  }
}

function unquoted(inner: string, text: string): string {
  if (!inner.includes("\\")) return inner;
  try {
    return JSON.parse(`"${inner}"`) as string;
  } catch (cause) {
    throw damaged("the labels of a stream cannot be parsed", {
      stream: text.slice(0, 200),
      reason: String(cause),
    });
  }
}

function notStream(text: string): Error {
  return damaged("the labels of a stream cannot be parsed", { stream: text.slice(0, 200) });
}
