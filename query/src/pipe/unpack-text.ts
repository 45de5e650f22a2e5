import { textOfJson } from "./json-items.ts";
import { quotedAt } from "./quoted-value.ts";

type Named = readonly [string, string];

/** Levels of objects within objects; deeper ones stay JSON. */
const depthMax = 64;

/** The fields of a JSON object, inner objects with dotted names; none of any other text. */
export function fieldsOfJson(text: string): readonly Named[] {
  if (!/^\s*\{/.test(text)) return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  const found: Named[] = [];
  addFields(found, value as object, "", 0);
  return found;
}

function addFields(found: Named[], object: object, prefix: string, depth: number): void {
  for (const [key, value] of Object.entries(object)) {
    const name = prefix + key;
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (isObject && depth < depthMax) addFields(found, value as object, `${name}.`, depth + 1);
    else found.push([name === "" ? "_msg" : name, textOfJson(value)]);
  }
}

/** The fields of `k=v q="a b" alone`; a name alone has the empty value. What follows a quoted value without a space ends it. */
export function fieldsOfLogfmt(text: string): readonly Named[] {
  const found: Named[] = [];
  const add = (name: string, value: string) => {
    if (name.trim() !== "" || value !== "") found.push([name.trim() || "_msg", value]);
  };
  let at = 0;
  while (at < text.length) {
    const end = endOf(text, at, /[= ]/g);
    const name = text.slice(at, end);
    if (text[end] !== "=") {
      add(name, "");
      at = end + 1;
      continue;
    }
    const quoted = quotedAt(text, end + 1);
    const to = quoted?.end ?? endOf(text, end + 1, / /g);
    add(name, quoted?.value ?? text.slice(end + 1, to));
    if (quoted !== undefined && to < text.length && text[to] !== " ") break;
    at = to + 1;
  }
  return found;
}

function endOf(text: string, from: number, mark: RegExp): number {
  mark.lastIndex = from;
  return mark.exec(text)?.index ?? text.length;
}
