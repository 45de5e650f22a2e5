import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { collectAnswer } from "../../query/src/engine/questions.ts";
import { parseQuery } from "../../query/src/language/parse.ts";
import type { Part, PartReader } from "../../query/src/source.ts";
import { LocalPool } from "../../query/test/engine-blocks.ts";
import { openBatch } from "../../storage/src/format/batch.ts";
import { openSegment } from "../../storage/src/segment/reader.ts";
import { sealSegment } from "../../storage/src/segment/writer.ts";
import { batchOf } from "../../storage/test/format/records.ts";

const directory = mkdtempSync(join(tmpdir(), "logkeep-block-stats-"));
after(() => rmSync(directory, { recursive: true }));

const rowCount = 3_000;
const path = join(directory, "segment");
const allTime = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };

/** Messages of templates, few levels, numbers, and traces that all differ. */
const batch = (() => {
  const prng = new Prng(3);
  return batchOf(
    Array.from({ length: rowCount }, (_, i) => ({
      ...{ ms: 1_700_000_000_000 + i, ns: 0, position: 1, stream: `{host="h${i % 3}"}` },
      fields: {
        _msg: `GET /item-${prng.below(1e6)} took ${prng.below(900)}ms`,
        app: "shop",
        level: prng.pick(["info", "warn"]),
        took: String(prng.below(1e6)),
        trace: `${"abcdefgh"[prng.below(8)]}${prng.below(2 ** 30).toString(36)}x${i}y`,
      },
    })),
  );
})();

async function ask(
  blocks: PartReader["blocks"],
  text: string,
): Promise<readonly Record<string, string>[]> {
  const { from: timeMin, to: timeMax } = allTime;
  const part: Part = {
    timeMin,
    timeMax,
    rows: rowCount,
    bytes: 1,
    internal: false,
    ref: undefined,
  };
  const source = { open: () => Promise.resolve({ parts: [part], missing: [], release() {} }) };
  const query = parseQuery(text);
  const pool = new LocalPool({ blocks });
  return (await collectAnswer({ source, pool, tenant: "t", query, range: allTime })).rows;
}

test("block_stats tells what each field takes of a segment's file", async () => {
  const file = { path, uuid: crypto.randomUUID(), shard: 0, epoch: 1 };
  sealSegment({
    ...file,
    positionFrom: 1,
    positionThrough: 1,
    batches: [{ bytes: batch, position: 1 }],
  });
  const segment = openSegment(path);
  const rows = await ask(() => segment.blocks(), "* | block_stats");
  const grouped = await ask(
    () => segment.blocks(),
    "* | keep level, took | block_stats | stats by (field) sum(values_bytes) bytes, sum(rows) n | sort by (bytes)",
  );
  segment.close();
  const of = (field: string) => rows.find((row) => row["field"] === field) ?? {};
  assert.deepEqual(rows.map(({ field }) => field).sort(), [
    "_msg",
    "_stream",
    "_time",
    "app",
    "level",
    "took",
    "trace",
  ]);
  for (const row of rows) {
    assert.equal(row["part_path"], path);
    assert.equal(row["rows"], String(rowCount));
  }
  const types = Object.fromEntries(rows.map(({ field, type }) => [field, type]));
  assert.deepEqual(types, {
    ...{ _time: "time", _stream: "dict", _msg: "template" },
    ...{ app: "const", level: "dict", took: "number", trace: "string" },
  });
  assert.deepEqual([of("app")["values_bytes"], of("app")["dict_items"]], ["4", "0"]);
  assert.deepEqual([of("level")["dict_items"], of("level")["dict_bytes"]], ["2", "8"]);
  assert.deepEqual([of("_stream")["dict_items"], of("_stream")["dict_bytes"]], ["3", "33"]);
  assert.ok(Number(of("trace")["bloom_bytes"]) > 1_000, "words of traces are in a token filter");
  const bytes = rows.reduce(
    (sum, row) => sum + Number(row["values_bytes"]) + Number(row["bloom_bytes"]),
    0,
  );
  const { size } = statSync(path);
  assert.ok(bytes > size * 0.9 && bytes <= size, `${bytes} of ${size} bytes are told`);
  assert.deepEqual(
    grouped.map(({ field, n }) => [field, n]),
    [
      ["level", String(rowCount)],
      ["took", String(rowCount)],
    ],
  );
});

test("block_stats says of records in memory, and of fields that a pipe made, that they are in no file", async () => {
  const shared = new SharedArrayBuffer(batch.length);
  new Uint8Array(shared).set(batch);
  const block = openBatch(new Uint8Array(shared), 0, batch.length, 1);
  const rows = await ask(() => [block], "* | len(_msg) as n | fields n, took, app | block_stats");
  const told = rows.map(({ field, type, part_path }) => [field, type, part_path]);
  assert.deepEqual(told.sort(), [
    ["app", "const", "inmemory"],
    ["n", "inmemory", "inmemory"],
    ["took", "inmemory", "inmemory"],
  ]);
});
