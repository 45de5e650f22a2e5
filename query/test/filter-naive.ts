import type {
  CompareFieldNode,
  CompareNode,
  DayRangeNode,
  FilterNode,
  LabelMatcher,
  TimeBound,
  WeekRangeNode,
} from "../src/language/ast.ts";
import { streamLabelsOf } from "../src/table/table-block.ts";
import { parseTime } from "../src/table/time-text.ts";
import type { PlainRecord } from "./memory-block.ts";

/** Whether a record matches, by plain strings and nothing of the engine's. */
export function matchesNaively(node: FilterNode, record: PlainRecord): boolean {
  switch (node.kind) {
    case "any":
      return true;
    case "and":
      return node.parts.every((part) => matchesNaively(part, record));
    case "or":
      return node.parts.some((part) => matchesNaively(part, record));
    case "not":
      return !matchesNaively(node.part, record);
    case "stream":
      return node.groups.some((group) => group.every((each) => matchesLabel(each, record)));
    case "time":
      return isWithin(node.from, node.to, record);
    case "dayRange":
    case "weekRange":
      return recurs(node, record);
    case "compareField":
      return comparesFields(node, record);
    case "valueType":
    case "subquery":
      throw new Error(`no naive ${node.kind}`);
    default:
      return matchesValue(node, record[node.field] ?? "");
  }
}

/** Of times in UTC; by the clock of the place, which is the offset east. */
function recurs(node: DayRangeNode | WeekRangeNode, record: PlainRecord): boolean {
  const time = parseTime(record["_time"] ?? "2026-11-20T12:00:00Z");
  if (time === undefined) return false;
  const local = new Date(time.ms + node.offset.ms);
  const { start, end, startInclusive, endInclusive } = node;
  if (node.kind === "weekRange") {
    const day = local.getUTCDay();
    return (startInclusive ? day >= start : day > start) && (endInclusive ? day <= end : day < end);
  }
  const seconds = local.getUTCSeconds() + local.getUTCMilliseconds() / 1e3 + time.ns / 1e9;
  const minute = local.getUTCHours() * 60 + local.getUTCMinutes() + seconds / 60;
  return (
    (startInclusive ? minute >= start : minute > start) &&
    (endInclusive ? minute <= end : minute < end)
  );
}

/** By number when both are one, else by bytes; `eq` by the text alone. */
export function comparesFields(
  { field, other, op }: CompareFieldNode,
  record: PlainRecord,
): boolean {
  const [a, b] = [record[field] ?? "", record[other] ?? ""];
  if (op === "eq") return a === b;
  const difference = numberOf(a) - numberOf(b);
  const order = Number.isNaN(difference)
    ? Buffer.compare(Buffer.from(a), Buffer.from(b))
    : difference;
  return op === "lt" ? order < 0 : order <= 0;
}

type FieldNode = Exclude<
  Extract<FilterNode, { readonly field: string }>,
  { readonly kind: "compareField" | "valueType" | "subquery" }
>;

function matchesValue(node: FieldNode, value: string): boolean {
  switch (node.kind) {
    case "phrase":
    case "prefix":
      return hasPhrase(value, node.text, node.kind === "prefix", node.ignoreCase);
    case "substring":
      return value.includes(node.text);
    case "regex":
      return new RegExp(node.pattern, "su").test(value);
    case "exact":
      return value === node.value;
    case "exactPrefix":
      return value.startsWith(node.value);
    case "compare":
      return compares(node, value);
    case "range": {
      const number = numberOf(value);
      const [min, max] = [numberOf(node.min), numberOf(node.max)];
      return (
        (node.minInclusive ? number >= min : number > min) &&
        (node.maxInclusive ? number <= max : number < max)
      );
    }
    case "stringRange":
      return (
        value !== "" &&
        Buffer.compare(Buffer.from(value), Buffer.from(node.min)) >= 0 &&
        Buffer.compare(Buffer.from(value), Buffer.from(node.max)) < 0
      );
    case "lengthRange":
      return [...value].length >= node.min && [...value].length <= node.max;
    case "in":
      return node.values.includes(value);
    case "containsAny":
      return node.values.some((text) => containsText(value, text));
    case "containsAll":
      return node.values.every((text) => containsText(value, text));
    case "sequence":
      return hasSequence(value, node.values);
    case "ipv4Range": {
      const address = addressOf(value);
      return address >= node.min && address <= node.max;
    }
    case "exists":
      return value !== "";
    case "empty":
      return value === "";
  }
}

function containsText(value: string, text: string): boolean {
  return text === "" ? value === "" : hasPhrase(value, text, false, false);
}

const word = "[A-Za-z0-9_\\u0080-\\u{10ffff}]";

function phrasePattern(text: string, isPrefix: boolean, ignoreCase: boolean): RegExp {
  const isWord = new RegExp(`^${word}$`, "u");
  const letters = [...text];
  const start = isWord.test(letters[0] as string) ? `(?<!${word})` : "";
  const end = !isPrefix && isWord.test(letters.at(-1) as string) ? `(?!${word})` : "";
  return new RegExp(start + escaped(text) + end, ignoreCase ? "ui" : "u");
}

function hasPhrase(value: string, text: string, isPrefix: boolean, ignoreCase: boolean): boolean {
  return phrasePattern(text, isPrefix, ignoreCase).test(value);
}

function hasSequence(value: string, texts: readonly string[]): boolean {
  const patterns = texts.filter((text) => text !== "");
  const joined = patterns.map((text) => phrasePattern(text, false, false).source).join(".*?");
  return new RegExp(joined, "su").test(value);
}

function compares({ op, value: wanted }: CompareNode, value: string): boolean {
  if (value === "") return false;
  let order: number;
  if (!Number.isNaN(numberOf(wanted))) order = numberOf(value) - numberOf(wanted);
  else if (addressOf(wanted) >= 0) {
    order = addressOf(value) < 0 ? Number.NaN : addressOf(value) - addressOf(wanted);
  } else order = Buffer.compare(Buffer.from(value), Buffer.from(wanted));
  switch (op) {
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
  }
}

const units: Readonly<Record<string, number>> = { "": 1, KiB: 1024, KB: 1000, ms: 1e6, s: 1e9 };

function numberOf(text: string): number {
  if (text === "Inf") return Infinity;
  if (text === "-Inf") return -Infinity;
  const match = /^(-?\d+(?:_\d+)*(?:\.\d+)?)(KiB|KB|ms|s)?$/.exec(text);
  if (match === null) return Number.NaN;
  const [, digits = "", unit = ""] = match;
  return Number(digits.replaceAll("_", "")) * (units[unit] as number);
}

function addressOf(text: string): number {
  const octets = /^\d+\.\d+\.\d+\.\d+$/.test(text) ? text.split(".").map(Number) : [256];
  if (octets.some((octet) => octet > 255)) return -1;
  return octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

function matchesLabel(matcher: LabelMatcher, record: PlainRecord): boolean {
  const value = streamLabelsOf(record["_stream"] ?? "{}").pairs.get(matcher.label) ?? "";
  if ("values" in matcher) return matcher.values.includes(value) === (matcher.op === "in");
  const isNegated = matcher.op.startsWith("!");
  const pattern = matcher.op.endsWith("~") ? matcher.value : escaped(matcher.value);
  return new RegExp(`^(?:${pattern})$`, "su").test(value) !== isNegated;
}

function isWithin(from: TimeBound | undefined, to: TimeBound | undefined, record: PlainRecord) {
  const time = parseTime(record["_time"] as string) as { ms: number; ns: number };
  const nanos = (at: { readonly ms: number; readonly ns: number }) =>
    BigInt(at.ms) * 1_000_000n + BigInt(at.ns);
  const isAfter = from === undefined || nanos(time) >= nanos(from);
  return isAfter && (to === undefined || nanos(time) < nanos(to));
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
