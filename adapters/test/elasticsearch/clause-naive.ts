import { momentCompare } from "../../../kit/src/time.ts";
import { parseTime } from "../../../query/src/table/time-text.ts";
import type { PlainRecord } from "../../../query/test/memory-block.ts";
import { documentField } from "../../src/elasticsearch/field-name.ts";
import type { Clause } from "../../src/elasticsearch/search/clause.ts";

/** A record as Elasticsearch would have indexed it: the terms of each of its places. */
export interface IndexedRecord {
  readonly terms: ReadonlyMap<string, readonly string[]>;
  readonly time: string;
}

/** How much of a field is indexed: all of it, its words only, pieces of words that are too long, nothing. */
export type Indexed = "all" | "words" | "pieces" | "nothing";

export function indexed(
  record: PlainRecord,
  howMuch: (field: string) => Indexed = () => "all",
): IndexedRecord {
  const terms = new Map<string, readonly string[]>();
  const ignored: string[] = [];
  for (const [field, value] of Object.entries(record)) {
    if (field === "_time" || value === "") continue;
    if (field === "_stream") {
      terms.set("_stream", [value]);
      continue;
    }
    const place = documentField(field);
    const much = howMuch(field);
    const words = value.match(/[\w\u0080-\u{10ffff}]+/gu) ?? [];
    if (much !== "nothing") terms.set(place, much === "pieces" ? words.flatMap(cut) : words);
    if (much === "all") terms.set(`${place}.exact`, [value]);
    if (much === "words" || much === "pieces") ignored.push(`${place}.exact`);
    if (much === "nothing") ignored.push(place);
  }
  terms.set("_ignored", ignored);
  return { terms, time: record["_time"] ?? "" };
}

/** A word as an index cuts it that takes no more than three letters. */
function cut(word: string): readonly string[] {
  return word.match(/.{1,3}/gsu) ?? [];
}

type Value = Readonly<Record<string, unknown>>;

/** Whether a document meets a clause, by plain code. */
export function meetsClause(clause: Clause, record: IndexedRecord): boolean {
  if (clause === "all") return true;
  if (clause === "none") return false;
  const [kind, body] = Object.entries(clause as Record<string, Value>)[0] ?? ["", {}];
  switch (kind) {
    case "bool":
      return meetsBool(body, record);
    case "exists":
      return (record.terms.get(String(body["field"])) ?? []).length > 0;
    case "range":
      return meetsRange(body, record);
    default: {
      const [place, asked] = Object.entries(body)[0] ?? ["", {}];
      const terms = record.terms.get(place) ?? [];
      if (kind === "match_phrase")
        return adjoin(terms, String((asked as Value)["query"]).split(" "));
      if (kind === "terms") return terms.some((term) => (asked as string[]).includes(term));
      return terms.some((term) => meetsTerm(kind, String((asked as Value)["value"]), term));
    }
  }
}

function meetsBool(body: Value, record: IndexedRecord): boolean {
  const all = (body["filter"] ?? []) as Clause[];
  const some = body["should"] as Clause[] | undefined;
  const none = (body["must_not"] ?? []) as Clause[];
  return (
    all.every((each) => meetsClause(each, record)) &&
    (some === undefined || some.some((each) => meetsClause(each, record))) &&
    !none.some((each) => meetsClause(each, record))
  );
}

function adjoin(terms: readonly string[], words: readonly string[]): boolean {
  return terms.some((_, at) => words.every((word, i) => terms[at + i] === word));
}

function meetsTerm(kind: string, asked: string, term: string): boolean {
  switch (kind) {
    case "term":
      return term === asked;
    case "prefix":
      return term.startsWith(asked);
    case "wildcard":
      return wildcard(asked).test(term);
    case "regexp":
      return new RegExp(`^(?:${asked})$`, "su").test(term);
    default:
      throw new Error(`a clause ${kind} is not known`);
  }
}

function wildcard(text: string): RegExp {
  const parts = text.match(/\\.|[^\\]/gsu) ?? [];
  const source = parts.map((part) => {
    if (part === "*") return ".*";
    const literal = part.length > 1 && part.startsWith("\\") ? part.slice(1) : part;
    return literal.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  });
  return new RegExp(`^${source.join("")}$`, "su");
}

function meetsRange(body: Value, record: IndexedRecord): boolean {
  const [place, asked] = Object.entries(body as Record<string, Value>)[0] ?? ["", {}];
  const isWithin = (compare: (bound: string) => number): boolean =>
    Object.entries(asked).every(([op, bound]) => {
      if (op === "format") return true;
      const order = compare(String(bound));
      if (op === "gte") return order >= 0;
      if (op === "gt") return order > 0;
      return op === "lte" ? order <= 0 : order < 0;
    });
  if (place === "@timestamp") {
    const time = parseTime(record.time) ?? { ms: 0, ns: 0 };
    return isWithin((bound) => momentCompare(time, parseTime(bound) ?? { ms: 0, ns: 0 }));
  }
  const terms = record.terms.get(place) ?? [];
  return terms.some((term) =>
    isWithin((bound) => Buffer.compare(Buffer.from(term), Buffer.from(bound))),
  );
}
