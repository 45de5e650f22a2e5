import type { Block, Column } from "../../kit/src/block.ts";
import { Prng } from "../../kit/src/prng.ts";
import { FragmentHost } from "../../query/src/engine/fragment-host.ts";
import type { FragmentPool } from "../../query/src/engine/pool.ts";
import { type QueryRequest, runQuery } from "../../query/src/engine/run.ts";
import type { FilterNode, PipeNode, StatsFunction } from "../../query/src/language/ast.ts";
import type { Cut, Part, PartReader, Source } from "../../query/src/source.ts";
import { ValuesColumn, valuesOf } from "../../query/src/table/column.ts";
import { streamLabelsOf, TableBlock } from "../../query/src/table/table-block.ts";

/**
 * The query engine alone, over blocks in memory, on one thread: what evaluation costs without disk, decompression
 * and threads. Prints one JSON line a question: milliseconds of the fastest and the middle of several runs.
 */

const blockRows = 32_768;
const startMs = Date.UTC(2026, 0, 1);
const dayMs = 86_400_000;
const services = ["api", "web", "db", "auth", "cart", "mail", "search", "queue"];
const levels = ["debug", "info", "info", "info", "warn", "error"];
const verbs = ["accepted", "closed", "failed for", "retried", "timed out on"];

function draw(total: number): Block[] {
  const prng = new Prng(1);
  const blocks: Block[] = [];
  for (let at = 0; at < total; at += blockRows) {
    blocks.push(drawBlock(prng, at, Math.min(blockRows, total - at), total));
  }
  return blocks;
}

function drawBlock(prng: Prng, first: number, rows: number, total: number): Block {
  const service = Array.from({ length: rows }, () => prng.below(services.length));
  const texts = Array.from({ length: rows }, (_, i) => {
    const level = prng.pick(levels);
    const bytes = String(prng.below(20_000));
    const path = `/api/v1/items/${prng.below(500)}`;
    const message = `connection ${first + i} ${prng.pick(verbs)} 10.0.${prng.below(256)}.${prng.below(256)}:${prng.below(65_536)}`;
    return { level, bytes, path, message: level === "error" ? `${message} error` : message };
  });
  const columns = new Map<string, Column>([
    ["_msg", new ValuesColumn("rows", valuesOf(texts.map(({ message }) => message)))],
    ["service", dictionary(service.map((code) => services[code] as string))],
    ["level", dictionary(texts.map(({ level }) => level))],
    ["bytes", dictionary(texts.map(({ bytes }) => bytes))],
    ["path", dictionary(texts.map(({ path }) => path))],
  ]);
  const labels = services.map((name) => streamLabelsOf(`{service="${name}"}`));
  const ms = Float64Array.from({ length: rows }, (_, i) =>
    Math.floor(startMs + ((first + i) / total) * dayMs),
  );
  return new TableBlock({
    rowCount: rows,
    columns,
    times: { ms, ns: undefined },
    streams: { labels, codes: Uint8Array.from(service) },
    positions: Float64Array.from({ length: rows }, (_, i) => first + i),
  });
}

function dictionary(texts: readonly string[]): Column {
  const numbers = new Map<string, number>();
  const codes = Uint16Array.from(texts, (text) => {
    const code = numbers.get(text) ?? numbers.size;
    numbers.set(text, code);
    return code;
  });
  return new ValuesColumn("dict", valuesOf(numbers.keys()), codes);
}

class Blocks implements Source, PartReader {
  readonly #blocks: readonly Block[];
  readonly #parts: readonly Part[];

  constructor(blocks: readonly Block[]) {
    this.#blocks = blocks;
    this.#parts = blocks.map(({ timeMin, timeMax, rowCount }, ref) => {
      return { timeMin, timeMax, rows: rowCount, bytes: 0, internal: false, ref };
    });
  }

  open(): Promise<Cut> {
    return Promise.resolve({ parts: this.#parts, missing: [], release: () => undefined });
  }

  blocks(part: Part): Block[] {
    return [this.#blocks[part.ref as number] as Block];
  }
}

function call(
  name: StatsFunction["name"],
  as: string,
  args: readonly string[] = [],
): StatsFunction {
  return { name, args, phi: undefined, limit: undefined, filter: undefined, as };
}

function stats(by: readonly string[], functions: readonly StatsFunction[]): PipeNode {
  const step = { kind: "time", step: { ms: 300_000, ns: 0 }, offset: { ms: 0, ns: 0 } } as const;
  const keys = by.map((field) => ({ field, bucket: field === "_time" ? step : undefined }));
  return { kind: "stats", by: keys, functions };
}

const any: FilterNode = { kind: "any" };
const word: FilterNode = { kind: "phrase", field: "_msg", text: "error", ignoreCase: false };
const substring: FilterNode = { kind: "substring", field: "_msg", text: "imed ou" };
const count = call("count", "n");
const sort: PipeNode = {
  kind: "sort",
  by: [{ field: "n", desc: true }],
  offset: 0,
  limit: 10,
};

const questions: readonly (readonly [string, FilterNode, readonly PipeNode[], number?])[] = [
  ["count", any, [stats([], [count])]],
  ["count by level", any, [stats(["level"], [count])]],
  ["5-minute histogram", any, [stats(["_time"], [count])]],
  ["5-minute histogram by service", any, [stats(["_time", "service"], [count])]],
  ["top 10 paths", any, [stats(["path"], [count]), sort]],
  [
    "sum and max by service",
    any,
    [stats(["service"], [call("sum", "s", ["bytes"]), call("max", "m", ["bytes"])])],
  ],
  ["quantile by service", any, [stats(["service"], [call("median", "q", ["bytes"])])]],
  ["distinct messages", any, [stats([], [call("count_uniq", "u", ["_msg"])])]],
  ["word count", word, [stats([], [count])]],
  ["substring count", substring, [stats([], [count])]],
  ["word, 100 newest", word, [], 100],
  ["100 newest", any, [], 100],
  ["all records", any, []],
];

async function measure(
  request: QueryRequest,
): Promise<{ ms: number; rows: number; bytes: number }> {
  const start = performance.now();
  const answer = await runQuery(request);
  let rows = 0;
  let bytes = 0;
  for await (const batch of answer.rows) {
    rows += batch.rows;
    bytes += batch.bytes.byteLength;
  }
  return { ms: performance.now() - start, rows, bytes };
}

async function main(): Promise<void> {
  const total = Number(process.argv[2] ?? 1_000_000);
  const only = process.argv[3];
  const blocks = new Blocks(draw(total));
  const host = new FragmentHost(blocks);
  const pool: FragmentPool = { size: 1, run: async (plan, task) => host.run(plan, task) };
  const range = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };
  for (const [name, filter, pipes, limit] of questions) {
    if (only !== undefined && !name.includes(only)) continue;
    const request = {
      source: blocks,
      pool,
      tenant: "bench",
      query: { filter, pipes },
      range,
      limit,
    };
    const times: number[] = [];
    let last = { ms: 0, rows: 0, bytes: 0 };
    for (let i = 0; i < 7; i++) {
      last = await measure(request);
      times.push(last.ms);
    }
    times.sort((a, b) => a - b);
    const [best = 0, , , middle = 0] = times.map((ms) => Math.round(ms * 10) / 10);
    const { rows, bytes } = last;
    process.stdout.write(
      `${JSON.stringify({ bench: "query-engine", question: name, records: total, rows, bytes, best_ms: best, p50_ms: middle })}\n`,
    );
  }
}

await main();
