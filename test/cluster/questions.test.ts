// Goal: every kind of question has all records of all nodes at whichever node it is asked, and none of them twice.
// Method: three real nodes with two copies of each shard; records of many streams, which so lie at all of them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { HistogramAnswer, Summary, ValuesAnswer } from "../../api/src/answers.ts";
import type { ShardsAnswer } from "../../api/src/cluster.ts";
import type { Delete } from "../../api/src/deletes.ts";
import type { RetentionAnswer } from "../../api/src/retention.ts";
import type { Row, Service } from "../service.ts";
import { insist, shipOnce } from "./insist.ts";
import { Nodes } from "./nodes.ts";

/** 60 streams of 20 records each, a second apart. */
const streams = 60;
const perStream = 20;
const total = streams * perStream;
const startMs = Date.UTC(2026, 10, 20);
const range = { start: "2026-11-20T00:00:00Z", end: "2026-11-21T00:00:00Z" };

let nodes: Nodes;

before(async () => {
  nodes = await Nodes.start({ count: 3, env: { LOGKEEP_STORAGE_SEAL_AGE_MS: "1000" } });
  const records = Array.from({ length: total }, (_, i) => ({
    _time: startMs + i * 1000,
    service: `s${i % streams}`,
    host: "h",
    level: ["info", "warn", "error"][i % 3],
    turn: String(Math.floor(i / streams)),
    _msg: `question ${i}`,
  }));
  for (let at = 0; at < total; at += 400) {
    await shipOnce(nodes.node((at % 3) + 1), records.slice(at, at + 400));
  }
});

after(() => nodes?.close());

function get(service: Service, at: string, params: Readonly<Record<string, string>> = {}) {
  return insist(async () => {
    const response = await fetch(`${service.http}/api/v1/${at}?${new URLSearchParams(params)}`);
    const text = await response.text();
    assert.equal(response.status, 200, `${at}: ${text}`);
    assert.equal(response.headers.get("X-Logkeep-Partial"), null);
    return text;
  });
}

function searched(service: Service, query: string): Promise<Row[]> {
  return insist(() => service.search(query, { ...range, partial: "deny", timeout: "60s" }));
}

async function json<T>(...of: Parameters<typeof get>): Promise<T> {
  return JSON.parse(await get(...of)) as T;
}

const lines = (text: string): Row[] =>
  text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Row]));

/** The same is true at each node. */
async function atEach(claim: (service: Service) => Promise<void>): Promise<void> {
  for (const service of nodes.running()) await claim(service);
}

async function until(what: string, claim: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 120_000;
  for (;;) {
    // A node may be refused while others take over.
    const outcome = await claim().catch((thrown: unknown) => thrown);
    if (outcome === true) return;
    if (performance.now() > endMs) {
      throw new Error(`${what} did not come to be\n${nodes.log}`, { cause: outcome });
    }
    await sleep(200);
  }
}

test("a histogram, alone and by a field, counts the records of all nodes", async () => {
  await atEach(async (service) => {
    const params = { query: "question", ...range, step: "10m" };
    const { series } = await json<HistogramAnswer>(service, "histogram", params);
    assert.equal(series[0]?.total, total);
    assert.deepEqual(series[0]?.counts.slice(0, 3), [600, 600, 0]);
    const by = await json<HistogramAnswer>(service, "histogram", { ...params, by: "level" });
    assert.deepEqual(
      by.series.map((one) => one.total),
      [400, 400, 400],
    );
  });
});

test("names of fields, values and facets count the records of all nodes", async () => {
  await atEach(async (service) => {
    const names = await searched(service, "question | field_names");
    assert.equal(Number(names.find(({ name }) => name === "turn")?.["hits"]), total);
    const { values } = await json<ValuesAnswer>(service, "fields/service/values", {
      ...{ query: "question", ...range, limit: "0" },
    });
    assert.equal(values.length, streams);
    assert.ok(values.every(({ count }) => count === perStream));
    const facets = await searched(service, "question | facets");
    const levels = facets.filter(({ field_name: name }) => name === "level");
    assert.deepEqual(
      levels.map(({ hits }) => Number(hits)),
      [400, 400, 400],
    );
  });
});

test("the neighbours of a record come from where its stream lies", async () => {
  await atEach(async (service) => {
    const query = "turn:10 service:=s7 | stream_context before 2 after 3";
    const rows = await searched(service, query);
    assert.deepEqual(
      rows.map(({ turn }) => Number(turn)),
      [8, 9, 10, 11, 12, 13],
    );
  });
});

test("an export has every record once, oldest first", async () => {
  await atEach(async (service) => {
    const params = { query: "question | fields _time, _msg", ...range, summary: "1" };
    const rows = lines(await get(service, "export", params));
    const summary = rows.pop()?.["_summary"] as unknown as Summary;
    assert.equal(summary.status, "complete");
    assert.deepEqual(
      rows.map((row) => row["_msg"]),
      Array.from({ length: total }, (_, i) => `question ${i}`),
    );
  });
});

test("a tail at one node has what is shipped to others, once", async () => {
  const abort = new AbortController();
  const response = await insist(async () => {
    const begun = await fetch(`${nodes.node(3).http}/api/v1/tail?query=live`, {
      signal: AbortSignal.any([abort.signal, AbortSignal.timeout(120_000)]),
    });
    assert.equal(begun.status, 200);
    return begun;
  });
  const records = (from: number) =>
    Array.from({ length: streams }, (_, i) => ({
      ...{ service: `s${i}`, host: "h", _msg: `live ${from + i}` },
    }));
  await shipOnce(nodes.node(1), records(0));
  await shipOnce(nodes.node(2), records(streams));
  const seen: string[] = [];
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const end = text.lastIndexOf("\n") + 1;
    for (const line of text.slice(0, end).split("\n")) {
      const message = /"_msg":"(live \d+)"/.exec(line)?.[1];
      if (message !== undefined) seen.push(message);
    }
    text = text.slice(end);
    if (seen.length >= 2 * streams) break;
  }
  abort.abort();
  assert.equal(seen.length, 2 * streams);
  assert.equal(new Set(seen).size, 2 * streams);
});

test("what is kept and what goes next is told of all nodes' shards", async () => {
  await until("what is in memory is sealed", async () => {
    const answers = await Promise.all(
      nodes.running().map((service) => json<RetentionAnswer>(service, "retention")),
    );
    return answers.every(({ classes, missing }) => {
      const [all] = classes.filter((each) => each.class === "default");
      assert.deepEqual(missing, []);
      assert.equal(all?.records, total + 2 * streams);
      assert.equal(all?.oldest, "2026-11-20T00:00:00Z");
      return all.nextDrop !== undefined && all.bytes > 0;
    });
  });
});

test("a delete hides records of all nodes, and each node tells how far it has come", async () => {
  const response = await fetch(`${nodes.node(1).http}/api/v1/deletes`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: "question level:error" }),
  });
  assert.equal(response.status, 202);
  const { id, rowsHidden } = (await response.json()) as Delete;
  assert.equal(rowsHidden, 400);
  await atEach(async (service) => {
    const count = await insist(() => service.count("question", { partial: "deny" }));
    assert.equal(count, 800);
  });
  await until("no file that is searched has them", async () => {
    const told = await Promise.all(
      nodes.running().map((service) => json<Delete>(service, `deletes/${id}`)),
    );
    return told.every((made) => made.rowsHidden === 400 && made.filesLeft === 0);
  });
});

// Behind the delete: that no file is left for it says that all is sealed.
test("of shards whose set is gone, what a node has that is out of it is still found, and they are named", async () => {
  const shards = async () => {
    return (await json<ShardsAnswer>(nodes.node(2), "cluster/shards")).shards;
  };
  // Node 1 is killed, leaves the sets, and comes back when nobody is there to bring it to what came since.
  await nodes.node(1).kill();
  await until("node 1 is out of all sets", async () => {
    const all = await shards();
    return all.every(({ owner, replicas }) => {
      const members = replicas.filter(({ isInSync }) => isInSync).map(({ node }) => node);
      return owner !== undefined && !members.includes(1);
    });
  });
  const alone = (await shards()).filter(({ replicas }) =>
    replicas.every(({ isInSync, node }) => !isInSync || node === 2),
  );
  assert.ok(alone.length > 0);
  await nodes.node(2).kill();
  await nodes.startNode(1);
  await until("all but those is found", async () => {
    const found = await nodes.node(3).search("question | stats count() c", { summary: "1" });
    const summary = found.pop()?.["_summary"] as unknown as Summary | undefined;
    const named = new Set(summary?.missing?.map((name) => Number(/\d+/.exec(name)?.[0])));
    return Number(found[0]?.["c"]) === 800 && alone.every(({ id }) => named.has(id));
  });
});
