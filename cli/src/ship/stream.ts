import { usageError } from "../io.ts";

/** What forms the stream of shipped records. */
export interface StreamLabels {
  readonly names: readonly string[];
  /** The values given; a name without one is a field that the records themselves have. */
  readonly values: ReadonlyMap<string, string>;
}

/** `service=api,host=h1` or, with fields of the records, `service,host=h1`. */
export function streamOf(text: string): StreamLabels {
  const names: string[] = [];
  const values = new Map<string, string>();
  for (const part of text.split(",")) {
    const equals = part.indexOf("=");
    const name = (equals < 0 ? part : part.slice(0, equals)).trim();
    if (!/^[A-Za-z_][\w.-]*$/.test(name) || names.includes(name) || name.startsWith("_")) {
      throw usageError(`--stream needs fields as service=api,host=h1, not ${text}`);
    }
    names.push(name);
    if (equals >= 0) values.set(name, part.slice(equals + 1).trim());
  }
  return { names, values };
}
