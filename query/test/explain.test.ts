// Goal: an explanation says what is done where, and how much was spared and why; it never changes an answer.
import assert from "node:assert/strict";
import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { KeptAnswers } from "../src/engine/kept-answers.ts";
import { collectAnswer } from "../src/engine/questions.ts";
import type { QueryRequest } from "../src/engine/run.ts";
import { Analysis } from "../src/explain/analysis.ts";
import { type Analyzed, explainQuery } from "../src/explain/explain.ts";
import { explainText } from "../src/explain/text.ts";
import { parseQuery } from "../src/language/parse.ts";
import { resolveTimes } from "../src/language/resolve-times.ts";
import { blockOf, LocalPool, MemoryStore, storeOf } from "./engine-blocks.ts";
import { drawRecords } from "./engine-draw.ts";

const range = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };

/** Ten parts of ten records each, a second between records. */
function tidyStore(): MemoryStore {
  const store = new MemoryStore();
  for (let part = 0; part < 10; part++) {
    const records = Array.from({ length: 10 }, (_, i) => ({
      time: { ms: (part * 10 + i) * 1000, ns: 0 },
      stream: `{s="${part % 2}"}`,
      shard: 0,
      position: part,
      fields: { _msg: `message ${part * 10 + i}`, n: String(i) },
    }));
    store.add([blockOf(records, new Prng(part))]);
  }
  return store;
}

function requestOf(store: MemoryStore, text: string, more: Partial<QueryRequest> = {}) {
  const query = resolveTimes(parseQuery(text), 0);
  return { source: store, pool: new LocalPool(store), tenant: "t", query, range, ...more };
}

async function analyzedOf(request: QueryRequest): Promise<Analyzed> {
  const { analyzed } = await explainQuery(request, true);
  assert.ok(analyzed !== undefined);
  return analyzed;
}

const prunedBy = ({ blocks }: Analyzed, reason: string) =>
  blocks.pruned.find(({ by }) => by === reason)?.blocks;

test("a plan names what workers do, what is merged and what is left", async () => {
  const text = "error | fields _msg, n | stats by (n) count() c | sort by (c desc) | limit 3";
  const { steps, cursor, analyzed } = await explainQuery(requestOf(tidyStore(), text), false);
  assert.deepEqual(
    steps.map(({ at, step }) => `${at} ${step}`),
    ["worker filter", "worker pipe", "worker collect", "merge merge", "main pipe", "main pipe"],
  );
  assert.match(steps[2]?.text ?? "", /^stats by \(n\)/);
  assert.equal(cursor, "rows");
  assert.equal(analyzed, undefined);
});

test("what is not of the query's time is pruned by time", async () => {
  const asked = { from: { ms: 20_000, ns: 0 }, to: { ms: 45_000, ns: 0 } };
  const { parts, rows, blocks } = await analyzedOf(requestOf(tidyStore(), "*", { range: asked }));
  assert.deepEqual([parts.stored.parts, parts.read.parts + parts.prunedByTime.parts], [10, 10]);
  assert.equal(rows, 25);
  assert.equal(blocks.matchedRows, 25);
});

test("a limit leaves parts that are not needed", async () => {
  const { parts, rows } = await analyzedOf(requestOf(tidyStore(), "*", { limit: 15 }));
  assert.equal(rows, 15);
  assert.ok(parts.notNeeded.parts >= 5, `${parts.notNeeded.parts}`);
});

test("blocks of other streams are pruned by stream, without a column decoded", async () => {
  const analyzed = await analyzedOf(requestOf(tidyStore(), '{s="1"} | count()'));
  assert.equal(prunedBy(analyzed, "stream"), 5);
  assert.equal(analyzed.blocks.scanned.blocks, 5);
  assert.deepEqual(analyzed.columns, []);
  const { columns } = await analyzedOf(requestOf(tidyStore(), '{s="1"} | fields n'));
  assert.deepEqual(
    columns.map(({ name, blocks }) => [name, blocks]).filter(([name]) => name === "n"),
    [["n", 5]],
    "what is answered is decoded, too",
  );
  assert.equal(analyzed.blocks.matchedRows, 50);
});

test("what a filter decodes is counted by column", async () => {
  const { blocks, columns, decodedBytes, tasks } = await analyzedOf(
    requestOf(tidyStore(), "_msg:~`e 4.` | count()"),
  );
  assert.equal(blocks.matchedRows, 10);
  assert.deepEqual(
    columns.map(({ name }) => name),
    ["_msg"],
  );
  assert.ok(decodedBytes > 100);
  assert.equal(tasks, 10);
});

test("an absent field is pruned by the header", async () => {
  const analyzed = await analyzedOf(requestOf(tidyStore(), "absent:x | count()"));
  assert.equal(analyzed.blocks.matchedRows, 0);
  assert.equal((prunedBy(analyzed, "header") ?? 0) + (prunedBy(analyzed, "tokens") ?? 0), 10);
});

test("answers are the same analysed and not, and every block has one reason", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const prng = new Prng(seed);
    const records = drawRecords(prng, 80);
    const store = storeOf(records, prng);
    for (const text of [
      "*",
      "a",
      "level:error",
      "* | stats by (level) count() n | sort by (level)",
    ]) {
      const plain = await collectAnswer(requestOf(store, text));
      const analysis = new Analysis();
      const watched = await collectAnswer(requestOf(store, text, { analysis }));
      assert.deepEqual(watched.rows, plain.rows, `SEED=${seed} ${text}`);
      const { pruned, scanned } = analysis.profile;
      const rows = Object.values(pruned).reduce((sum, each) => sum + each.rows, scanned.rows);
      assert.equal(rows, analysis.partsRead.rows, `SEED=${seed} ${text}`);
    }
  }
});

test("what is analysed is not answered by what was kept", async () => {
  const store = tidyStore();
  const kept = new KeptAnswers(new LocalPool(store), 1e6);
  const request = { ...requestOf(store, "* | count()"), pool: kept };
  await collectAnswer(request);
  assert.equal((await analyzedOf(request)).blocks.matchedRows, 100);
});

test("the text has everything in lines", async () => {
  const explained = await explainQuery(requestOf(tidyStore(), "message | sort by (n)"), true);
  const text = explainText(explained);
  for (const pattern of [
    /each worker +filter +message/,
    /pruned by stream/,
    /column _msg/,
    /100 rows in/,
  ])
    assert.match(text, pattern);
});
