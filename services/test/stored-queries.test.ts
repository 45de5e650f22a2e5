// Goal: queries over what is stored answer as plain code over objects does: in memory, sealed, merged, and opened again.
// Method: a seed draws records, where they lie, and six queries, asked after each change; SEED=<n> replays a failure.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { momentPrint } from "../../kit/src/time.ts";
import { FragmentHost } from "../../query/src/engine/fragment-host.ts";
import { KeptAnswers } from "../../query/src/engine/kept-answers.ts";
import type { FragmentPool } from "../../query/src/engine/pool.ts";
import { collectAnswer } from "../../query/src/engine/questions.ts";
import type { FilterNode, Query } from "../../query/src/language/ast.ts";
import type { Part } from "../../query/src/source.ts";
import type { TestRecord } from "../../query/test/engine-blocks.ts";
import { drawQuery, drawRecords } from "../../query/test/engine-draw.ts";
import { evaluate, type Row } from "../../query/test/engine-naive.ts";
import { matchesNaively } from "../../query/test/filter-naive.ts";
import { openBatch } from "../../storage/src/format/batch.ts";
import { mergeSegments } from "../../storage/src/segment/merge.ts";
import { openSegment } from "../../storage/src/segment/reader.ts";
import { sealSegment } from "../../storage/src/segment/writer.ts";
import { batchOf } from "../../storage/test/format/records.ts";
import { StoredBlocks } from "../src/threads/stored-blocks.ts";

const seeds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 50);
const firstSeed = Number(process.env["SEED"] ?? 1);
const lastSeed = process.env["SEED"] === undefined ? seeds : firstSeed;
const allTime = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };
const directory = mkdtempSync(join(tmpdir(), "logkeep-stored-queries-"));
after(() => rmSync(directory, { recursive: true }));

interface StoredBatch {
  readonly offset: number;
  readonly length: number;
  readonly position: number;
}

/** A shard's records: segment files, and after them batches in memory. */
class StoredShard {
  readonly number: number;
  #arena: SharedArrayBuffer;
  #batches: StoredBatch[] = [];
  #files: string[] = [];

  constructor(number: number, arena: SharedArrayBuffer, batches: readonly StoredBatch[]) {
    this.number = number;
    this.#arena = arena;
    this.#batches = [...batches];
  }

  /** The oldest batches go into a file. */
  seal(count: number): void {
    const taken = this.#batches.splice(0, count);
    if (taken.length === 0) return;
    const batches = taken.map(({ offset, length, position }) => ({
      bytes: new Uint8Array(this.#arena, offset, length),
      position,
    }));
    const positions = taken.map(({ position }) => position);
    const file = this.#newFile(positions[0] as number, positions.at(-1) as number);
    sealSegment({ ...file, batches });
    this.#files.push(file.path);
  }

  /** Neighbouring files become one. */
  merge(from: number, count: number): void {
    const paths = this.#files.slice(from, from + count);
    if (paths.length < 2) return;
    const footers = paths.map((path) => {
      const segment = openSegment(path);
      segment.close();
      return segment.footer;
    });
    const last = footers.at(-1)?.positionThrough ?? 0;
    const file = this.#newFile(footers[0]?.positionFrom ?? 0, last);
    const inputs = footers.map(({ uuid }, i) => ({ path: paths[i] as string, uuid }));
    mergeSegments({ ...file, level: 1, inputs });
    this.#files.splice(from, count, file.path);
  }

  get fileCount(): number {
    return this.#files.length;
  }

  parts(): Part[] {
    const parts = this.#files.flatMap((path) => this.#partsOfFile(path));
    if (this.#batches.length > 0) parts.push(this.#memoryPart());
    return parts;
  }

  #partsOfFile(path: string): Part[] {
    const segment = openSegment(path);
    const { footer, bytes } = segment;
    segment.close();
    return footer.partitions.map(({ tenant, internal, rows, timeMin, timeMax, ...rest }) => ({
      ...{ shard: this.number, positionThrough: footer.positionThrough },
      ...{ rows, bytes, internal, timeMin, timeMax, identity: footer.uuid },
      ref: {
        ...{ kind: "segment", path, uuid: footer.uuid, tenant, internal },
        ...{ class: rest.class, damagedBlocks: [], file: footer.uuid, fileBytes: bytes },
      },
    }));
  }

  #memoryPart(): Part {
    const blocks = this.#batches.map(({ offset, length, position }) =>
      openBatch(new Uint8Array(this.#arena), offset, length, position),
    );
    const times = blocks.flatMap(({ timeMin, timeMax }) => [timeMin, timeMax]);
    times.sort((a, b) => a.ms - b.ms || a.ns - b.ns);
    const [timeMin, timeMax] = [times[0], times.at(-1)];
    assert.ok(timeMin !== undefined && timeMax !== undefined);
    const rows = blocks.reduce((sum, { rowCount }) => sum + rowCount, 0);
    const ref = { kind: "memory", batches: this.#batches };
    return { timeMin, timeMax, rows, bytes: 1, internal: false, ref };
  }

  #newFile(positionFrom: number, positionThrough: number) {
    const uuid = crypto.randomUUID();
    const path = join(directory, uuid);
    return { path, uuid, shard: this.number, epoch: 1, positionFrom, positionThrough };
  }
}

/** The records of each shard in batches, one for each position. */
function shardsOf(records: readonly TestRecord[]): {
  shards: StoredShard[];
  arena: SharedArrayBuffer;
} {
  const arena = new SharedArrayBuffer(4 << 20);
  let at = 0;
  const shards = [...new Set(records.map(({ shard }) => shard))].map((number) => {
    const own = records.filter(({ shard }) => shard === number);
    const positions = [...new Set(own.map(({ position }) => position))].sort((a, b) => a - b);
    const batches = positions.map((position) => {
      const inEntry = own.filter((record) => record.position === position);
      const bytes = batchOf(inEntry.map(({ time, ...rest }) => ({ ...time, ...rest })));
      const batch = { offset: at, length: bytes.length, position };
      new Uint8Array(arena, at).set(bytes);
      at += Math.ceil(bytes.length / 64) * 64;
      return batch;
    });
    return new StoredShard(number, arena, batches);
  });
  return { shards, arena };
}

/** Two workers as they are after a start: nothing is open, nothing kept. */
function startedPool(arena: SharedArrayBuffer): FragmentPool {
  const readers = [0, 1].map(() => new StoredBlocks({ bytes: arena } as never, 1 << 20));
  const hosts = readers.map((reader) => new FragmentHost(reader));
  let next = 0;
  const run: FragmentPool["run"] = async (plan, task) => {
    await Promise.resolve();
    return (hosts[next++ % 2] as FragmentHost).run(plan, task);
  };
  return new KeptAnswers({ size: 2, run }, 1 << 20);
}

test("queries over records in memory, sealed, merged and opened again are answered as plain code answers them", async () => {
  let found = 0;
  for (let seed = firstSeed; seed <= lastSeed; seed++) {
    const prng = new Prng(seed);
    const records = drawRecords(prng, 20 + prng.below(120)).map((record) => said(record, prng));
    const { shards, arena } = shardsOf(records);
    const queries = Array.from({ length: 6 }, () => ({
      text: drawText(prng),
      asked: drawPlainQuery(prng),
    }));
    let pool = startedPool(arena);
    for (let step = 0; step < 3; step++) {
      for (const { text, asked } of queries) {
        const query: Query = { ...asked, filter: { kind: "and", parts: [text, asked.filter] } };
        const cut = { parts: shards.flatMap((shard) => shard.parts()), missing: [], release() {} };
        const source = { open: () => Promise.resolve(cut) };
        const range = allTime;
        const { rows } = await collectAnswer({ source, pool, tenant: "default", query, range });
        const matching = records.filter((record) => matchesNaively(text, plain(record)));
        const expected = evaluate(asked, matching);
        const about = `SEED=${seed} step ${step} ${JSON.stringify(query)}`;
        assert.deepEqual(comparable(rows, asked), comparable(expected, asked), about);
        found += rows.length;
      }
      for (const shard of shards) {
        if (prng.chance(0.8)) shard.seal(1 + prng.below(20));
        if (prng.chance(0.5)) shard.merge(prng.below(shard.fileCount + 1), 2 + prng.below(3));
      }
      if (prng.chance(0.3)) pool = startedPool(arena);
    }
  }
  if (firstSeed < lastSeed) assert.ok(found > seeds * 20, `${found} rows`);
});

/** A query that looks at no other records than those that its own filter finds. */
function drawPlainQuery(prng: Prng): Query {
  for (;;) {
    const query = drawQuery(prng);
    if (!/"query":|"streamContext"/.test(JSON.stringify(query))) return query;
  }
}

const services = ["disk", "net", "authentication failure", "worker-7"];

/** The record with a message that has a template and variables, some of them other fields. */
function said(record: TestRecord, prng: Prng): TestRecord {
  const { code = "", trace = "" } = record.fields;
  const number = prng.below(300);
  const service = prng.pick(services);
  const messages = [
    `${service} error ${number} of ${trace}: code=${code} took ${number * 7}ms`,
    `GET /${service}/item-${number}.html 200 "agent ${prng.below(3)} error" ${momentPrint(record.time)}`,
    `blk_-${number}77 received by 10.0.${prng.below(3)}.${number % 250}`,
    record.fields["_msg"] ?? "",
  ];
  return { ...record, fields: { ...record.fields, _msg: prng.pick(messages) } };
}

function drawText(prng: Prng): FilterNode {
  const field = "_msg";
  const phrase = prng.pick([
    "error",
    "authentication failure",
    "worker-7 error",
    "77 received",
    "t3",
  ]);
  const part = prng.pick(["rror", "e error", "html 2", "7 of t", "ailure er", '200 "', "10.0.1"]);
  const pattern = prng.pick(["blk_-?[0-9]+77 ", "item-[0-9]+", "err.r [0-9]{2}", "^GET", "ms$"]);
  const node = prng.pick<FilterNode>([
    { kind: "any" },
    { kind: "phrase", field, text: phrase, ignoreCase: prng.chance(0.2) },
    { kind: "prefix", field, text: phrase.slice(0, -1), ignoreCase: false },
    { kind: "substring", field, text: part },
    { kind: "regex", field, pattern },
    { kind: "sequence", field, values: ["error", "took"] },
  ]);
  return prng.chance(0.2) ? { kind: "not", part: node } : node;
}

function plain({ time, stream, fields }: TestRecord): Row {
  return { ...fields, _time: momentPrint(time), _stream: stream };
}

/** Without empty values; rows of groups come in no certain order. */
function comparable(rows: readonly Row[], { pipes }: Query): string[] {
  const texts = rows.map((row) =>
    JSON.stringify(
      Object.entries(row)
        .filter(([, value]) => value !== "")
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  );
  const unordered = ["stats", "uniq", "union"];
  return pipes.some(({ kind }) => unordered.includes(kind)) ? texts.sort() : texts;
}
