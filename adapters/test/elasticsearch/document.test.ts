import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import type { Block } from "../../../kit/src/block.ts";
import { Prng } from "../../../kit/src/prng.ts";
import { BatchBuilder } from "../../../storage/src/format/batch-builder.ts";
import { FieldNames } from "../../../storage/src/format/field-names.ts";
import { mergeSegments } from "../../../storage/src/segment/merge.ts";
import { openSegment } from "../../../storage/src/segment/reader.ts";
import { sealSegment } from "../../../storage/src/segment/writer.ts";
import {
  type DocumentBounds,
  type DocumentOptions,
  makeDocuments,
} from "../../src/elasticsearch/document.ts";

interface Given {
  readonly ms: number;
  readonly ns?: number;
  readonly stream: string;
  readonly fields: Readonly<Record<string, string>>;
}

const options: DocumentOptions = {
  cluster: "01234567-89ab-cdef-0123-456789abcdef",
  shard: 7,
  tenant: "shop",
  prefix: "logkeep",
  after: 0,
};

const ample: DocumentBounds = { bytesMax: 1 << 30, itemsMax: 1e9 };

const names = new FieldNames();

function batchOf(records: readonly Given[]): Buffer {
  const builder = new BatchBuilder({ tenant: "shop", retentionClass: "default", names });
  for (const { ms, ns = 0, stream, fields } of records) {
    const entries = Object.entries(fields);
    const values = entries.map(([, value]) => Buffer.from(value));
    const ends = Uint32Array.from(values, (_, i) => Buffer.concat(values.slice(0, i + 1)).length);
    const starts = Uint32Array.from(ends, (end, i) => end - (values[i]?.length ?? 0));
    const ids = Int32Array.from(entries, ([name]) => names.idOfText(name));
    builder.append(ms, ns, stream, Buffer.concat(values), entries.length, ids, starts, ends);
  }
  const bytes = Buffer.alloc(builder.byteLength);
  builder.encodeInto(bytes, 0, Date.parse("2026-11-21T12:00:00Z"));
  return bytes;
}

/** A folder of segments, each of some batches; what is closed and removed when the test ends. */
class Segments {
  readonly #folder = mkdtempSync(path.join(os.tmpdir(), "logkeep-documents-"));
  readonly #closers: (() => void)[] = [];

  constructor(t: TestContext) {
    t.after(() => {
      for (const close of this.#closers) close();
      rmSync(this.#folder, { recursive: true });
    });
  }

  seal(batches: readonly (readonly Given[])[], positionFrom: number): string {
    const uuid = randomUUID();
    const file = path.join(this.#folder, uuid);
    const positionThrough = positionFrom + batches.length - 1;
    sealSegment({
      ...{ path: file, uuid, shard: 7, epoch: 1, positionFrom, positionThrough },
      batches: batches.map((records, i) => ({
        bytes: batchOf(records),
        position: positionFrom + i,
      })),
    });
    return file;
  }

  merge(files: readonly string[], positionThrough: number): string {
    const uuid = randomUUID();
    const file = path.join(this.#folder, uuid);
    const identity = { path: file, uuid, shard: 7, epoch: 1, positionFrom: 1, positionThrough };
    const inputs = files.map((each) => ({ path: each, uuid: path.basename(each) }));
    mergeSegments({ ...identity, level: 1, inputs });
    return file;
  }

  blocks(file: string): Block[] {
    const segment = openSegment(file);
    this.#closers.push(() => segment.close());
    return [...segment.blocks()];
  }
}

interface Item {
  readonly index: string;
  readonly id: string;
  readonly source: Readonly<Record<string, unknown>>;
}

function itemsOf(
  blocks: readonly Block[],
  bounds = ample,
  over: Partial<DocumentOptions> = {},
): Item[] {
  const items: Item[] = [];
  let from: { block: number; row: number } | undefined = { block: 0, row: 0 };
  while (from !== undefined) {
    const { body, offsets, next } = makeDocuments(blocks, from, { ...options, ...over }, bounds);
    const text = Buffer.from(body);
    for (let i = 1; i < offsets.length; i++) {
      const lines = text.toString("utf8", offsets[i - 1], offsets[i]).split("\n");
      assert.equal(lines.length, 3);
      const { create } = JSON.parse(lines[0] ?? "");
      const source = JSON.parse(lines[1] ?? "");
      items.push({ index: create._index, id: create._id, source });
    }
    from = next;
  }
  return items;
}

const idsOf = (items: readonly Item[]): string[] => items.map(({ id }) => id).sort();

const noon = Date.parse("2026-11-21T12:00:00Z");

test("a document has the record's fields, its time as queries print it, and a kept id", (t) => {
  const segments = new Segments(t);
  const fields = { _msg: 'said "yes"\n', "a.b": "1", _id: "x", empty: "" };
  const stream = '{host="ü"}';
  const file = segments.seal([[{ ms: noon + 1, ns: 2, stream, fields }]], 4);
  const [item, ...others] = itemsOf(segments.blocks(file));
  assert.equal(others.length, 0);
  assert.equal(item?.index, "logkeep-shop-2026.11.21");
  assert.deepEqual(item.source, {
    "@timestamp": "2026-11-21T12:00:00.001000002Z",
    _time: "2026-11-21T12:00:00.001000002Z",
    _tenant: "shop",
    _stream: stream,
    _position: 4,
    _msg: 'said "yes"\n',
    "a.b": "1",
    "record._id": "x",
  });
  // Ids of another release must be the same, or what was sent before an update is sent again under other ones.
  assert.equal(item.id, "0123456789ab-7-4-2E__cUVKyrrd");
});

test("times beyond date_nanos are clamped for dashboards and exact as text", (t) => {
  const segments = new Segments(t);
  const fields = { _msg: "m" };
  const ms = Date.parse("1950-06-01T00:00:00Z");
  const file = segments.seal([[{ ms, stream: "{}", fields }]], 1);
  const [item] = itemsOf(segments.blocks(file));
  assert.equal(item?.source["_time"], "1950-06-01T00:00:00Z");
  assert.equal(item.source["@timestamp"], "1970-01-01T00:00:00Z");
  assert.equal(item.index, "logkeep-shop-1970.01.01");
});

test("only entries behind the progress become documents", (t) => {
  const segments = new Segments(t);
  const record = (n: number): Given => ({ ms: noon, stream: "{}", fields: { _msg: String(n) } });
  const file = segments.seal([[record(1), record(2)], [record(3)], [record(4)]], 11);
  const items = itemsOf(segments.blocks(file), ample, { after: 11 });
  assert.deepEqual(items.map(({ source }) => source["_msg"]).sort(), ["3", "4"]);
});

/** Few times, streams and messages, so that many records are equal in everything. */
function drawn(prng: Prng, count: number): Given[] {
  return Array.from({ length: count }, () => ({
    ms: noon + prng.below(3),
    stream: `{host="h${prng.below(2)}"}`,
    fields: { _msg: `m${prng.below(3)}`, [`f${prng.below(3)}`]: "v" },
  }));
}

test("ids are the same however segments are merged and requests cut, also of equal records", (t) => {
  const segments = new Segments(t);
  for (let seed = 1; seed <= 5; seed++) {
    const prng = new Prng(seed);
    const batches = Array.from({ length: 6 }, () => drawn(prng, 1 + prng.below(60)));
    const files = batches.map((batch, i) => segments.seal([batch], 1 + i));
    const ids = idsOf(files.flatMap((file) => itemsOf(segments.blocks(file))));
    assert.equal(new Set(ids).size, batches.flat().length, "each record has an id of its own");
    const merged = segments.merge([...files.slice(0, 3)], 3);
    const twice = segments.merge([merged, ...files.slice(3)], 6);
    for (const itemsMax of [1, 2, 7, 1000]) {
      const bounds = { bytesMax: 1 << 30, itemsMax };
      assert.deepEqual(idsOf(itemsOf(segments.blocks(twice), bounds)), ids, `SEED=${seed}`);
    }
  }
});

test("equal records on both sides of a block's border stay apart, before and after a merge", (t) => {
  const segments = new Segments(t);
  // More than a sealed block takes, all of one time; the border lies within an entry.
  const batches = Array.from({ length: 10 }, (_, entry) =>
    Array.from({ length: 7001 }, (_, n) => ({
      ms: noon,
      stream: '{host="h"}',
      fields: { _msg: `m${n % 3}`, ...(entry === 9 ? { late: "1" } : {}) },
    })),
  );
  const sealed = segments.blocks(segments.seal(batches, 1));
  assert.ok(sealed.length > 1);
  const ids = idsOf(itemsOf(sealed, { bytesMax: 700_000, itemsMax: 10_000 }));
  assert.equal(new Set(ids).size, 10 * 7001);
  // The same entries in two files: their border is another one.
  const files = [segments.seal(batches.slice(0, 3), 1), segments.seal(batches.slice(3), 4)];
  const merged = segments.blocks(segments.merge(files, 10));
  assert.notDeepEqual(
    merged.map(({ rowCount }) => rowCount),
    sealed.map(({ rowCount }) => rowCount),
  );
  assert.deepEqual(idsOf(itemsOf(merged)), ids);
});

test("a request is as large as allowed and no larger, unless one record is", (t) => {
  const segments = new Segments(t);
  const long = (n: number): Given => ({
    ms: noon + n,
    stream: "{}",
    fields: { _msg: "x".repeat(n * 1000) },
  });
  const blocks = segments.blocks(segments.seal([[1, 2, 3, 9, 1].map(long)], 1));
  const sizes: number[] = [];
  let from: { block: number; row: number } | undefined = { block: 0, row: 0 };
  while (from !== undefined) {
    const made = makeDocuments(blocks, from, options, { bytesMax: 4000, itemsMax: 10 });
    assert.equal(made.body.length, made.offsets.at(-1));
    sizes.push(made.offsets.length - 1);
    from = made.next;
  }
  assert.deepEqual(sizes, [2, 1, 1, 1]);
});
