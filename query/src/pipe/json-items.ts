/** The items of a JSON array as texts: strings as they are, null as empty, all else as JSON; none of other texts. */
export function itemsOf(text: string): readonly string[] {
  if (!/^\s*\[/.test(text)) return [];
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.map(textOfJson) : [];
  } catch {
    return [];
  }
}

/** A JSON value as the text of a field. */
export function textOfJson(value: unknown): string {
  if (typeof value === "string") return value;
  return value === null || value === undefined ? "" : JSON.stringify(value);
}
