import { momentPrint } from "../../../kit/src/time.ts";
import type {
  FilterNode,
  LabelMatcher,
  RangeNode,
  StreamNode,
  TimeBound,
  TimeNode,
} from "./ast.ts";
import { durationOf, nanosOf, printDuration } from "./duration.ts";
import { printIpv4 } from "./numeric.ts";
import { printName } from "./print-name.ts";
import { quoted } from "./string-literal.ts";

/** The filter as text that reads back as the same. */
export function printFilter(node: FilterNode): string {
  switch (node.kind) {
    case "any":
      return "*";
    case "stream":
      return printSelector(node);
    case "time":
      return printTime(node);
    case "and":
      return node.parts
        .map((part) => (part.kind === "or" ? enclosed(part) : printFilter(part)))
        .join(" ");
    case "or":
      return node.parts.map(printFilter).join(" or ");
    case "not": {
      const isGroup = node.part.kind === "and" || node.part.kind === "or";
      return `!${isGroup ? enclosed(node.part) : printFilter(node.part)}`;
    }
    default:
      return `${fieldOf(node)}${printTest(node)}`;
  }
}

function enclosed(node: FilterNode): string {
  return `(${printFilter(node)})`;
}

type TestNode = Exclude<
  FilterNode,
  { readonly kind: "any" | "stream" | "time" | "and" | "or" | "not" }
>;

function fieldOf(node: TestNode): string {
  // `*` alone is every record: that the message is there must be said with its name.
  if (node.field === "_msg" && node.kind !== "exists") return "";
  return `${printName(node.field)}:`;
}

function printTest(node: TestNode): string {
  switch (node.kind) {
    case "phrase":
      return node.ignoreCase ? `i(${quoted(node.text)})` : printName(node.text);
    case "prefix":
      return node.ignoreCase ? `i(${quoted(node.text)}*)` : `${printName(node.text)}*`;
    case "substring":
      return `*${printName(node.text)}*`;
    case "regex":
      return `~${quoted(node.pattern)}`;
    case "exact":
      return `=${printName(node.value)}`;
    case "exactPrefix":
      return `=${printName(node.value)}*`;
    case "compare":
      return `${node.op}${printName(node.value)}`;
    case "range":
      return printRange(node);
    case "stringRange":
      return `string_range(${printName(node.min)}, ${printName(node.max)})`;
    case "lengthRange":
      return `len_range(${printLength(node.min)}, ${printLength(node.max)})`;
    case "in":
      return `in(${printList(node.values)})`;
    case "containsAny":
      return `contains_any(${printList(node.values)})`;
    case "containsAll":
      return `contains_all(${printList(node.values)})`;
    case "sequence":
      return `seq(${printList(node.values)})`;
    case "ipv4Range":
      return `ipv4_range(${printIpv4(node.min)}, ${printIpv4(node.max)})`;
    case "exists":
      return "*";
    case "empty":
      return '""';
  }
}

function printRange({ min, max, minInclusive, maxInclusive }: RangeNode): string {
  const open = minInclusive ? "[" : "(";
  const close = maxInclusive ? "]" : ")";
  return `range${open}${printName(min)}, ${printName(max)}${close}`;
}

function printLength(length: number): string {
  return length === Infinity ? "inf" : String(length);
}

function printList(values: readonly string[]): string {
  return values.map(printName).join(", ");
}

function printSelector({ groups }: StreamNode): string {
  return `{${groups.map((group) => group.map(printMatcher).join(",")).join(" or ")}}`;
}

function printMatcher(matcher: LabelMatcher): string {
  const label = printName(matcher.label);
  if ("values" in matcher) {
    return `${label} ${matcher.op} (${printList(matcher.values)})`;
  }
  return `${label}${matcher.op}${quoted(matcher.value)}`;
}

function printTime({ from, to }: TimeNode): string {
  if (from === undefined && to === undefined) return "*";
  if (to === undefined) return `_time:>=${printBound(from as TimeBound)}`;
  if (from === undefined) return `_time:<${printBound(to)}`;
  // A bound one nanosecond off is one that was written as inclusive, or exclusive: `(now-5m, now]`.
  const start = isNextToWhole(from) ? `(${printBound(earlier(from))}` : `[${printBound(from)}`;
  const end = isNextToWhole(to) ? `${printBound(earlier(to))}]` : `${printBound(to)})`;
  return `_time:${start}, ${end}`;
}

function isNextToWhole(bound: TimeBound): boolean {
  return bound.kind === "ago" && bound.ns === 999_999;
}

function earlier(bound: TimeBound): TimeBound {
  return { kind: bound.kind, ...durationOf(nanosOf(bound) + 1n) };
}

/** Times from now are `now`, `now-5m`, `now+1h`, so that a length is never taken for a moment. */
function printBound(bound: TimeBound): string {
  if (bound.kind === "moment") return printMoment(bound);
  const duration = printDuration(bound);
  if (duration === "0s") return "now";
  return duration.startsWith("-") ? `now+${duration.slice(1)}` : `now-${duration}`;
}

/** With all digits of its fraction: a whole second in the text would mean all of it. */
function printMoment({ ms, ns }: { readonly ms: number; readonly ns: number }): string {
  const text = momentPrint({ ms, ns });
  return text.includes(".") ? text : `${text.slice(0, -1)}.000Z`;
}
