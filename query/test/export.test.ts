// Goal: an export gives every record once, whatever its form, and says where it goes on.
import assert from "node:assert/strict";
import test from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { type ErrorCode, ServiceError } from "../../kit/src/errors.ts";
import { Prng } from "../../kit/src/prng.ts";
import { csvBody } from "../src/engine/encode.ts";
import { exportColumns } from "../src/export/columns.ts";
import { type ExportRequest, ExportRun } from "../src/export/export-run.ts";
import { lastPageRows, rowGroupRowsMax } from "../src/export/limits.ts";
import { exportLines } from "../src/export/lines.ts";
import { cursorKey, parquetBody } from "../src/export/parquet.ts";
import { parseQuery } from "../src/language/parse.ts";
import { blockOf, LocalPool, MemoryStore, type TestRecord } from "./engine-blocks.ts";

const range = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };

function storeOf(count: number): MemoryStore {
  const store = new MemoryStore();
  const records: TestRecord[] = Array.from({ length: count }, (_, i) => ({
    time: { ms: 1_000 + Math.floor(i / 100), ns: 7 },
    stream: `{s="${i % 3}"}`,
    shard: 0,
    position: Math.floor(i / 50),
    fields: { _msg: `m "${i}"\n`, n: String(i), ...(i % 2 === 0 ? { even: "yes" } : {}) },
  }));
  for (let at = 0; at < count; at += 2_000)
    store.add([blockOf(records.slice(at, at + 2_000), new Prng(at))]);
  return store;
}

function requestOf(store: MemoryStore, more: Partial<ExportRequest> = {}): ExportRequest {
  const enter = () => Promise.resolve(() => undefined);
  const common = { source: store, pool: new LocalPool(store), tenant: "t", range, enter };
  return { ...common, query: parseQuery("*"), oldestFirst: true, ...more };
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.from(await bytesOf(body)).toString();
}

async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<ArrayBuffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  const whole = Buffer.concat(pieces);
  return whole.buffer.slice(whole.byteOffset, whole.byteOffset + whole.byteLength) as ArrayBuffer;
}

type Line = Record<string, unknown>;

const linesOf = (text: string): Line[] =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);

test("what was read up to any cursor and what comes after it are all records, each once", async () => {
  const store = storeOf(20_000);
  const whole = new ExportRun(requestOf(store));
  const lines = linesOf(
    await textOf(exportLines(whole.rows(), { hasCursors: true, summary: () => whole.summary() })),
  );
  const numbers = lines.flatMap((line) => (typeof line["n"] === "string" ? [line["n"]] : []));
  assert.equal(new Set(numbers).size, 20_000);
  assert.deepEqual((lines.at(-1) as { _summary: Line })._summary["rows"], 20_000);
  const places = lines.flatMap((line, i) => ("_cursor" in line ? [i] : []));
  assert.ok(places.length > 3, `${places.length} cursors`);
  for (const place of places) {
    const cursor = lines[place]?.["_cursor"] as string;
    const rest = new ExportRun(requestOf(store, { cursor }));
    const later = linesOf(await textOf(exportLines(rest.rows(), { hasCursors: false })));
    const before = lines.slice(0, place).filter((line) => "n" in line).length;
    assert.deepEqual(
      later.map((line) => line["n"]),
      numbers.slice(before),
    );
  }
});

test("a limit is kept to the record, and the summary's cursor goes on behind it", async () => {
  const store = storeOf(lastPageRows + 5_000);
  const seen: unknown[] = [];
  let cursor: string | undefined;
  for (const limit of [lastPageRows + 1_234, 1, 3_000, 5_000]) {
    const run = new ExportRun(requestOf(store, { limit, cursor }));
    const rows = linesOf(await textOf(exportLines(run.rows(), { hasCursors: false })));
    const isLast = seen.length + limit > lastPageRows + 5_000;
    if (!isLast) assert.equal(rows.length, limit);
    seen.push(...rows.map((row) => row["n"]));
    ({ cursor } = run.summary());
    assert.equal(cursor === undefined, isLast);
  }
  assert.equal(seen.length, lastPageRows + 5_000);
  assert.equal(new Set(seen).size, seen.length);
});

test("a Parquet file holds times, texts and nulls, in row groups, and where it goes on", async () => {
  const count = rowGroupRowsMax + 3_000;
  const store = storeOf(count + 10);
  const request = requestOf(store, { limit: count });
  const run = new ExportRun(request);
  const columns = await exportColumns(request);
  assert.deepEqual(columns, ["_time", "_stream", "_msg", "even", "n"]);
  const cursor = () => run.summary().cursor;
  const file = await bytesOf(parquetBody(run.rows(), { columns, cursor }));
  const metadata = parquetMetadata(file);
  assert.equal(metadata.row_groups.length, 2);
  const kept = metadata.key_value_metadata?.find(({ key }) => key === cursorKey)?.value;
  assert.equal(kept, run.summary().cursor);
  assert.ok(kept !== undefined);
  const rows = await parquetReadObjects({
    file,
    compressors: { ZSTD: (input) => zstdDecompressSync(input) },
    // As they are stored, where dates would lose the nanoseconds.
    parsers: { ...DEFAULT_PARSERS, timestampFromNanoseconds: (nanos: bigint) => nanos },
  });
  assert.equal(rows.length, count);
  assert.equal(new Set(rows.map((row) => row["n"])).size, count);
  const row = rows.find((each) => each["n"] === "4");
  assert.deepEqual(row?.["_msg"], 'm "4"\n');
  assert.deepEqual(row?.["even"], "yes");
  assert.ok(rows.find((each) => each["n"] === "3")?.["even"] == null);
  assert.equal(row?.["_time"], 1_000_000_007n);
});

test("an empty export is a file with its columns", async () => {
  const query = parseQuery("nothing | fields _time, n");
  const request = requestOf(storeOf(10), { query });
  const columns = await exportColumns(request);
  assert.deepEqual(columns, ["_time", "n"]);
  const parquet = parquetBody(new ExportRun(request).rows(), { columns, cursor: () => undefined });
  assert.equal(parquetMetadata(await bytesOf(parquet)).num_rows, 0n);
  assert.equal(await textOf(csvBody(new ExportRun(request).rows(), columns)), "_time,n\r\n");
});

test("a place among queries is taken for each page and handed back, also by who leaves early", async () => {
  const store = storeOf(5_000);
  let held = 0;
  const enter = () => {
    held++;
    return Promise.resolve(() => {
      held--;
    });
  };
  for await (const _ of new ExportRun(requestOf(store, { enter })).rows()) {
    assert.equal(held, 1);
    break;
  }
  assert.equal(held, 0);
});

test("aggregates and sorted rows are not exported", () => {
  const isInvalid = (thrown: unknown) =>
    thrown instanceof ServiceError && thrown.code === ("query.invalid" satisfies ErrorCode);
  for (const text of ["* | count()", "* | sort by (n)", "* | uniq by (n)"]) {
    const query = parseQuery(text);
    assert.throws(() => new ExportRun(requestOf(storeOf(1), { query })), isInvalid);
  }
});
