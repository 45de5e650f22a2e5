import { parse } from "yaml";
import type { SettingInfo } from "./describe.ts";
import { parseBytes, parseDurationMs } from "./quantity.ts";

/**
 * A value as the schema wants it, from what a file, a variable or a flag holds: numbers, sizes with
 * a unit and lists may be texts. What cannot be turned is returned as it is, for the schema to refuse.
 */
export function coerce(info: SettingInfo, value: unknown): unknown {
  if (typeof value !== "string") return value;
  const text = value.trim();
  switch (info.kind) {
    case "text":
      return value;
    case "address":
    case "choice":
      return text;
    case "choices":
      return text === "all" ? [...info.choices] : listOf(text);
    case "addresses":
    case "words":
      return listOf(text);
    case "boolean":
      return booleanOf(text) ?? value;
    case "number":
    case "integer":
      return /^-?\d+(\.\d+)?(e\d+)?$/.test(text) ? Number(text) : value;
    case "bytes":
      return parseBytes(text) ?? value;
    case "duration":
      return parseDurationMs(text) ?? value;
    case "list":
      return parsed(text);
  }
}

/** What a setting takes, in words. */
export function expected(info: SettingInfo): string {
  switch (info.kind) {
    case "text":
      return "a text";
    case "address":
      return "HOST:PORT";
    case "addresses":
      return "a list of HOST:PORT";
    case "choice":
      return `one of ${info.choices.join(", ")}`;
    case "choices":
      return `all, or some of ${info.choices.join(", ")}`;
    case "words":
      return "a list of words";
    case "boolean":
      return "true or false";
    case "number":
      return "a number";
    case "integer":
      return "a whole number";
    case "bytes":
      return "a size in bytes, as 1048576 or 64MiB";
    case "duration":
      return "a time in milliseconds, or as 30s";
    case "list":
      return "a list of objects";
  }
}

/** YAML, of which JSON is a part; a text that is neither is left to be refused. */
function parsed(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return text;
  }
}

function listOf(text: string): readonly string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function booleanOf(text: string): boolean | undefined {
  if (/^(true|1|yes|on)$/i.test(text)) return true;
  if (/^(false|0|no|off)$/i.test(text)) return false;
  return undefined;
}
