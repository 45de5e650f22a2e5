import type { Moment } from "../../../../kit/src/time.ts";
import { isoTime } from "../timestamp.ts";
import { type LineFormat, levelOf } from "./line-format.ts";

// A value is quoted with backslash escapes, or bare up to a space; a key may stand alone.
const pair = /([^\s="\\]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*)))?(?=\s|$)\s*/y;

const timeNames = ["time", "ts", "timestamp", "t"];
const messageNames = ["msg", "message"];
const levelNames = ["level", "lvl", "severity"];

/** `ts=2026-01-31T10:00:00Z level=info msg="it works" path=/`: two pairs at least, and nothing else. */
export const logfmtFormat: LineFormat = {
  name: "logfmt",
  parse(line) {
    const fields = pairsOf(line.trim());
    if (fields === undefined) return undefined;
    const msg = take(fields, messageNames) ?? "";
    const level = take(fields, levelNames);
    const time = takeTime(fields);
    return {
      time,
      level: level === undefined ? undefined : levelOf(level),
      // A record without a message is its own line, so that words find it.
      msg: msg === "" ? line : msg,
      fields: Object.fromEntries(fields),
    };
  },
};

function pairsOf(line: string): Map<string, string> | undefined {
  const fields = new Map<string, string>();
  let valued = 0;
  pair.lastIndex = 0;
  while (pair.lastIndex < line.length) {
    const found = pair.exec(line);
    if (found === null) return undefined;
    const [, key = "", quoted, bare] = found;
    if (quoted !== undefined || bare !== undefined) valued++;
    fields.set(key, quoted === undefined ? (bare ?? "true") : unescaped(quoted));
  }
  // Prose holds a pair now and then; a line of mostly lone words is none of ours.
  return valued >= 2 && valued * 2 > fields.size ? fields : undefined;
}

function unescaped(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replaceAll(/\\(u[0-9a-fA-F]{4}|.)/g, (_, code: string) => {
    if (code.length === 5) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return { n: "\n", t: "\t", r: "\r" }[code] ?? code;
  });
}

function take(fields: Map<string, string>, names: readonly string[]): string | undefined {
  const name = names.find((one) => fields.has(one));
  if (name === undefined) return undefined;
  const value = fields.get(name);
  fields.delete(name);
  return value;
}

/** A field is the time only when all of it is one; otherwise it stays a field. */
function takeTime(fields: Map<string, string>): Moment | undefined {
  for (const name of timeNames) {
    const text = fields.get(name) ?? "";
    const found = isoTime(text);
    if (found === undefined || found.length !== text.length) continue;
    fields.delete(name);
    return found.time;
  }
  return undefined;
}
