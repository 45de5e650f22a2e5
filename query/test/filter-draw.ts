import type { Prng } from "../../kit/src/prng.ts";
import { momentPrint } from "../../kit/src/time.ts";
import type { FilterNode, LabelMatcher, TimeBound } from "../src/language/ast.ts";
import type { PlainRecord } from "./memory-block.ts";

const streams = [
  '{host="web-01",service="web"}',
  '{host="web-02",service="web"}',
  '{host="db-01"}',
  "{}",
];
const pieces = ["error", "err", "er", "ror", "disk", "full", "полон", "é", "42", "_", "Error"];
const glue = [" ", " ", "", ":", "-", ", ", "/", "\n"];
const levels = ["error", "warn", "info", "ERROR"];
const numbers = ["0", "7", "-5", "200", "404", "500", "1.5", "2KiB", "15ms", "1s", "n/a", "2e"];
const addresses = ["10.0.0.1", "10.0.0.255", "10.1.0.0", "255.255.255.255", "10.0.0.256", "10.0.0"];
const baseMs = 1_700_000_000_000;

/** A message of pieces that begin, end and hold each other, glued with and without word borders. */
function drawText(prng: Prng): string {
  let text = prng.pick(pieces);
  while (prng.chance(0.6)) text += prng.pick(glue) + prng.pick(pieces);
  return text;
}

export function drawPlainRecords(prng: Prng, count: number): PlainRecord[] {
  return Array.from({ length: count }, () => {
    const record: Record<string, string> = {
      _time: momentPrint(drawMoment(prng)),
      _stream: prng.pick(streams),
    };
    if (prng.chance(0.9)) record["_msg"] = drawText(prng);
    if (prng.chance(0.7)) record["level"] = prng.pick(levels);
    if (prng.chance(0.7)) record["number"] = prng.pick(numbers);
    if (prng.chance(0.5)) record["ip"] = prng.pick(addresses);
    record["plain"] = String(prng.below(100));
    return record;
  });
}

function drawMoment(prng: Prng): { ms: number; ns: number } {
  return { ms: baseMs + prng.below(5) * 1000, ns: prng.chance(0.3) ? prng.below(3) : 0 };
}

const fields = ["_msg", "_msg", "_msg", "level", "number", "ip", "plain", "_stream", "absent"];

/** A filter whose times are resolved. */
export function drawFilter(prng: Prng, depth: number): FilterNode {
  const choice = depth === 0 ? 0 : prng.below(9);
  if (choice < 5) return drawLeaf(prng);
  if (choice < 6) return { kind: "not", part: drawFilter(prng, depth - 1) };
  const parts = Array.from({ length: 2 + prng.below(2) }, () => drawFilter(prng, depth - 1));
  return { kind: choice < 8 ? "and" : "or", parts };
}

function drawLeaf(prng: Prng): FilterNode {
  const field = prng.pick(fields);
  const text = drawValue(prng, field);
  const ignoreCase = prng.chance(0.2);
  const values = Array.from({ length: prng.below(4) }, () =>
    prng.chance(0.1) ? "" : drawValue(prng, field),
  );
  const ends = { minInclusive: prng.chance(0.5), maxInclusive: prng.chance(0.5) };
  const [min, max] = [prng.pick(bounds), prng.pick(bounds)];
  const [low = 0, high = 0] = [prng.pick(blocks), prng.pick(blocks)].sort((a, b) => a - b);
  const leaves: readonly (() => FilterNode)[] = [
    () => ({ kind: "any" }),
    () => ({ kind: "phrase", field, text, ignoreCase }),
    () => ({ kind: "phrase", field, text: text.slice(1, -1) || text, ignoreCase }),
    () => ({ kind: "prefix", field, text: text.slice(0, 3), ignoreCase }),
    () => ({ kind: "substring", field, text: text.slice(1, 4) || text }),
    () => ({ kind: "regex", field, pattern: prng.pick(patterns) }),
    () => ({ kind: "exact", field, value: text }),
    () => ({ kind: "exactPrefix", field, value: text.slice(0, 3) }),
    () => ({ kind: "compare", field, op: prng.pick([">", ">=", "<", "<="]), value: text }),
    () => ({ kind: "range", field, min, max, ...ends }),
    () => ({ kind: "stringRange", field, min: text, max: drawValue(prng, field) }),
    () => ({ kind: "lengthRange", field, min: prng.below(6), max: prng.pick([4, 10, Infinity]) }),
    () => ({ kind: "in", field, values }),
    () => ({ kind: "containsAny", field, values }),
    () => ({ kind: "containsAll", field, values: values.slice(0, 2) }),
    () => ({ kind: "sequence", field, values: [prng.pick(pieces), prng.pick(pieces)] }),
    () => ({ kind: "ipv4Range", field, min: low, max: high }),
    () => ({ kind: "exists", field }),
    () => ({ kind: "empty", field }),
    () => ({ kind: "stream", groups: [[drawMatcher(prng)], [drawMatcher(prng)]] }),
    () => ({ kind: "stream", groups: [[drawMatcher(prng), drawMatcher(prng)]] }),
    () => drawTime(prng),
    () => ({
      kind: "compareField",
      field,
      op: prng.pick(["eq", "le", "lt"]),
      other: prng.pick(fields.filter((each) => each !== "_stream")),
    }),
    () => ({ kind: "dayRange", ...drawRecurring(prng, minutes) }),
    () => ({ kind: "weekRange", ...drawRecurring(prng, [0, 1, 4, 5, 6]) }),
  ];
  return prng.pick(leaves)();
}

/** Around the time of the records, which lie within a few seconds. */
const minutes = [0, new Date(baseMs).getUTCHours() * 60 + new Date(baseMs).getUTCMinutes(), 1440];

function drawRecurring(prng: Prng, ends: readonly number[]) {
  const offset = { ms: prng.pick([0, 0, 7_200_000, -86_400_000, 1_500]), ns: 0 };
  return {
    start: prng.pick(ends),
    end: prng.pick(ends),
    startInclusive: prng.chance(0.5),
    endInclusive: prng.chance(0.5),
    offset,
  };
}

const bounds = ["-Inf", "-5", "0", "42", "200", "500", "1KiB", "10ms", "Inf"];
const blocks = [0, 0x0a000000, 0x0a0000ff, 0x0a010000, 0xffffffff];
const patterns = [
  "err",
  "err|disk",
  "er+or",
  "^error",
  "full$",
  "e.*l",
  "[0-9]+2",
  "^$",
  "\\.0\\.",
  "полон?",
  "(er){2}",
  "error.?disk",
];

function drawValue(prng: Prng, field: string): string {
  switch (field) {
    case "level":
      return prng.pick(levels);
    case "number":
      return prng.pick(numbers);
    case "ip":
      return prng.pick(addresses);
    case "plain":
      return String(prng.below(100));
    case "_stream":
      return prng.pick([...streams, "web", "host"]);
    default:
      return drawText(prng);
  }
}

function drawMatcher(prng: Prng): LabelMatcher {
  const label = prng.pick(["host", "service", "absent"]);
  const value = prng.pick(["web-01", "web", "db-01", ""]);
  switch (prng.below(3)) {
    case 0:
      return { label, op: prng.pick(["=", "!="]), value };
    case 1:
      return {
        label,
        op: prng.pick(["=~", "!~"]),
        value: prng.pick(["web-.*", "db|web", ".+", ""]),
      };
    default:
      return { label, op: prng.pick(["in", "not_in"]), values: [value, "web-02"] };
  }
}

function drawTime(prng: Prng): FilterNode {
  const bound = (): TimeBound => ({ kind: "moment", ...drawMoment(prng) });
  const from = prng.chance(0.7) ? bound() : undefined;
  return { kind: "time", from, to: prng.chance(0.7) ? bound() : undefined };
}
