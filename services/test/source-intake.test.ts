// Goal: a source's records are stored once, whatever parts of a batch a failure left out and wherever reading begins anew.
// Method: a seed draws batches, failures in which some shards store their part and others do not, and how far back
// reading begins after each; every committed batch is read back. A failure names the seed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { DecodeOptions } from "../../ingest/src/job.ts";
import { Prng } from "../../kit/src/prng.ts";
import { openBatch } from "../../storage/src/format/batch.ts";
import type { AppendPart, AppendResult } from "../../storage/src/shard/append.ts";
import type { MemoryBatch } from "../../storage/src/shard/memtable.ts";
import { type SourceBatch, SourceIntake } from "../src/source-intake.ts";
import { openGiven, openStoreGiven, type StoreGiven } from "./store-given.ts";

let given: Awaited<ReturnType<typeof openGiven>>;
let node: StoreGiven;
/** One whose rules put the messages of a shard into several classes. */
let ruledGiven: Awaited<ReturnType<typeof openGiven>>;
let ruled: StoreGiven;

const rules = [
  { filter: '{service="s3"}', days: 30 },
  { filter: 'n:~"[05]$"', days: 3 },
];

before(async () => {
  given = await openGiven();
  node = await openStoreGiven(given.given, given.folder);
  ruledGiven = await openGiven();
  ruled = await openStoreGiven(ruledGiven.given, ruledGiven.folder, { retention: { rules } });
});
after(async () => {
  for (const each of [node, ruled]) await each.close();
  for (const each of [given, ruledGiven]) await each.close();
});

const options: DecodeOptions = {
  protocol: "json",
  encoding: "identity",
  streamFields: ["service"],
  timeFields: ["_time"],
  msgFields: ["_msg"],
  extra: [],
  index: undefined,
};

/** Messages `from … next` of a source; every ninth is no record. */
function batchOf(source: string, from: number, next: number, pad = ""): SourceBatch {
  const numbers = Float64Array.from({ length: next - from }, (_, at) => from + at);
  const values = Array.from(numbers, (n) =>
    Buffer.from(n % 9 === 8 ? `no record ${n}` : JSON.stringify({ service: `s${n % 11}`, n, pad })),
  );
  return {
    kind: "kafka",
    ...{ source, options, numbers, values },
    tenant: "default",
    count: values.length,
    timesMs: new Float64Array(values.length).fill(Date.now()),
    positionOf: (index) => BigInt(from + index + 1),
    sizeOf: (index) => (values[index] as Buffer).length,
    through: BigInt(next),
  };
}

/** Notes how often each number is committed, as a record and as a rejected one. */
function noteCommits({ stored: { store, arena } }: StoreGiven): {
  readonly counts: Map<string, number>;
  stop(): void;
} {
  const counts = new Map<string, number>();
  const stop = store.onCommitted(({ offset, length, position, internal }: MemoryBatch) => {
    const batch = openBatch(Buffer.from(arena.view(offset, length)), 0, length, position);
    const column = batch.column(internal ? "line" : "n");
    if (column === undefined) return;
    const { bytes, offsets } = column.values();
    for (let row = 0; row < batch.rowCount; row++) {
      const code =
        column.layout === "const" ? 0 : column.layout === "dict" ? column.codes?.[row] : row;
      const at = code ?? 0;
      const key = `${internal ? "rejected " : ""}${bytes.toString("utf8", offsets[at], offsets[at + 1])}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  });
  return { counts, stop };
}

/** A store of which some appends fail, after a part of the shards has stored theirs. */
function failingStore(
  { stored: { store } }: StoreGiven,
  prng: Prng,
): StoreGiven["stored"]["store"] {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === "append") {
        return async (parts: readonly AppendPart[]): Promise<AppendResult[]> => {
          if (prng.below(3) > 0) return target.append(parts);
          await target.append(parts.filter(() => prng.below(2) === 0));
          throw new Error("some shards did not answer");
        };
      }
      const found: unknown = Reflect.get(target, name, target);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
}

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
  const kind = seed > 5 ? ", in classes by rules" : "";
  test(`each message is stored once though shards fail and reading begins anew${kind}, SEED=${seed}`, async () => {
    const prng = new Prng(seed);
    const on = seed > 5 ? ruled : node;
    const { arena, pool, retention } = on.stored;
    const intake = new SourceIntake({ arena, pool, retention, store: failingStore(on, prng) });
    const noted = noteCommits(on);
    const source = `kafka/cluster/topic/${seed}`;
    const total = 600;
    let stored = 0;
    while (stored < total) {
      // As after a crash: what is held is asked for, and some of what is stored is read again.
      let at = Math.max(0, stored - prng.below(120));
      const ends = await intake.endsOf(source);
      try {
        while (at < total) {
          const next = Math.min(total, at + 1 + prng.below(90));
          await intake.store(batchOf(source, at, next), ends);
          at = next;
          stored = Math.max(stored, at);
        }
      } catch (thrown) {
        assert.match(String(thrown), /did not answer/);
      }
    }
    noted.stop();
    const wanted = Array.from({ length: total }, (_, n) =>
      n % 9 === 8 ? `rejected ${n}` : `${n}`,
    );
    assert.deepEqual([...noted.counts.keys()].sort(), wanted.sort());
    assert.deepEqual(
      [...noted.counts.values()].filter((count) => count !== 1),
      [],
    );
  });
}

test("a batch that needs two parts at a shard is stored in steps, each once", async () => {
  const { arena, pool, store } = node.stored;
  const intake = new SourceIntake({ arena, pool, store });
  const noted = noteCommits(node);
  const source = "kafka/cluster/large/0";
  const pad = "x".repeat(20_000);
  const ends = await intake.endsOf(source);
  const batch = batchOf(source, 0, 400, pad);
  const counted = await intake.store(batch, ends);
  const again = await intake.store(batch, await intake.endsOf(source));
  noted.stop();
  assert.equal(counted.records + counted.rejected, 400);
  assert.deepEqual(again, { records: 0, rejected: 0 });
  assert.equal(noted.counts.size, 400);
  assert.deepEqual(
    [...noted.counts.values()].filter((count) => count !== 1),
    [],
  );
});

test("a second reader with old knowledge is refused and stores nothing", async () => {
  const { arena, pool, store } = node.stored;
  const intake = new SourceIntake({ arena, pool, store });
  const source = "kafka/cluster/two/0";
  const old = await intake.endsOf(source);
  await intake.store(batchOf(source, 0, 50), await intake.endsOf(source));
  const noted = noteCommits(node);
  await assert.rejects(intake.store(batchOf(source, 0, 60), old), { code: "ingest.unavailable" });
  noted.stop();
  assert.equal(noted.counts.size, 0);
});

test("a batch whose messages are of several classes is one step at each shard", async () => {
  const { arena, pool, retention, store } = ruled.stored;
  const intake = new SourceIntake({ arena, pool, retention, store });
  const classes = new Map<string, number>();
  const stop = store.onCommitted((batch) => {
    classes.set(batch.class, (classes.get(batch.class) ?? 0) + 1);
  });
  const source = "kafka/cluster/classes/0";
  const stored = await intake.store(batchOf(source, 0, 200), await intake.endsOf(source));
  stop();
  assert.equal(stored.records + stored.rejected, 200);
  assert.deepEqual([...classes.keys()].sort(), ["30d", "3d", "_rejected", "default"]);
  // Not halved: no more parts than shards.
  for (const count of classes.values()) assert.ok(count <= ruled.shardCount);
  const again = await intake.store(batchOf(source, 0, 200), await intake.endsOf(source));
  assert.deepEqual(again, { records: 0, rejected: 0 });
});
