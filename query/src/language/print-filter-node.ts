import { momentPrint } from "../../../kit/src/time.ts";
import type {
  DayRangeNode,
  FilterNode,
  LabelMatcher,
  Query,
  RangeNode,
  StreamNode,
  TimeBound,
  TimeNode,
  WeekRangeNode,
} from "./ast.ts";
import { durationOf, nanosOf, printDuration } from "./duration.ts";
import { printIpv4 } from "./numeric.ts";
import { weekDays } from "./parse-recurring.ts";
import { printName } from "./print-name.ts";
import { quoted } from "./string-literal.ts";

/** Prints the query within a filter. */
export type PrintQuery = (query: Query) => string;

/** The filter as text that reads back as the same. */
export function printFilterNode(node: FilterNode, printQuery: PrintQuery): string {
  const printed = (each: FilterNode) => printFilterNode(each, printQuery);
  switch (node.kind) {
    case "any":
      return "*";
    case "stream":
      return printSelector(node);
    case "time":
      return printTime(node);
    case "dayRange":
    case "weekRange":
      return printRecurring(node);
    case "and":
      return node.parts
        .map((part) => (part.kind === "or" ? `(${printed(part)})` : printed(part)))
        .join(" ");
    case "or":
      return node.parts.map(printed).join(" or ");
    case "not": {
      const isGroup = node.part.kind === "and" || node.part.kind === "or";
      return `!${isGroup ? `(${printed(node.part)})` : printed(node.part)}`;
    }
    case "subquery":
      return `${fieldOf(node)}${listNames[node.test]}(${printQuery(node.query)})`;
    default:
      return `${fieldOf(node)}${printTest(node)}`;
  }
}

const listNames = { in: "in", containsAny: "contains_any", containsAll: "contains_all" } as const;

type TestNode = Exclude<
  FilterNode,
  {
    readonly kind:
      | "any"
      | "stream"
      | "time"
      | "dayRange"
      | "weekRange"
      | "subquery"
      | "and"
      | "or"
      | "not";
  }
>;

function fieldOf(node: { readonly kind: string; readonly field: string }): string {
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
    case "containsAny":
    case "containsAll":
      return `${listNames[node.kind]}(${printList(node.values)})`;
    case "compareField":
      return `${node.op}_field(${printName(node.other)})`;
    case "valueType":
      return `value_type(${printName(node.type)})`;
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

function printRecurring(node: DayRangeNode | WeekRangeNode): string {
  const { kind, start, end, startInclusive, endInclusive, offset } = node;
  const print = kind === "dayRange" ? printMinute : (day: number) => weekDays[day]?.slice(0, 3);
  const open = startInclusive ? "[" : "(";
  const close = endInclusive ? "]" : ")";
  const shift = offset.ms === 0 && offset.ns === 0 ? "" : ` offset ${printDuration(offset)}`;
  const name = kind === "dayRange" ? "day_range" : "week_range";
  return `_time:${name}${open}${print(start)}, ${print(end)}${close}${shift}`;
}

function printMinute(minute: number): string {
  return [Math.floor(minute / 60), minute % 60]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
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
