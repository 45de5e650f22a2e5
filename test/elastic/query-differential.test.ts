// Goal: the index in Elasticsearch answers drawn questions as plain code over the records does.
// Method: a seed draws records, which the mirror's own code makes documents of, and filters; a failure prints the filter,
// and SEED=<n> draws the same again.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Client } from "@elastic/elasticsearch";
import { connectElasticsearch } from "../../adapters/src/elasticsearch/connect.ts";
import { makeDocuments } from "../../adapters/src/elasticsearch/document.ts";
import { ElasticIndex } from "../../adapters/src/elasticsearch/search/elastic-index.ts";
import { PageFragments } from "../../adapters/src/elasticsearch/search/page-fragments.ts";
import { indexTemplates } from "../../adapters/src/elasticsearch/template.ts";
import { settingsSchema } from "../../config/src/schema.ts";
import { Prng } from "../../kit/src/prng.ts";
import { collectAnswer } from "../../query/src/engine/questions.ts";
import type { FilterNode, PipeNode } from "../../query/src/language/ast.ts";
import { parseQuery } from "../../query/src/language/parse.ts";
import { printFilter } from "../../query/src/language/print-filter.ts";
import { drawFilter, drawPlainRecords } from "../../query/test/filter-draw.ts";
import { matchesNaively } from "../../query/test/filter-naive.ts";
import { memoryBlock, type PlainRecord } from "../../query/test/memory-block.ts";
import { Elasticsearch, missingElasticsearch } from "../servers/elasticsearch.ts";
import { freshPrefix } from "./given.ts";

const seed = Number(process.env["SEED"] ?? 1);
const filterCount = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 80);
const recordCount = 300;
const tenant = "drawn";

const skip = missingElasticsearch();
const running: { es: Elasticsearch | undefined } = { es: undefined };

before(async () => {
  if (skip === false) running.es = await Elasticsearch.start();
});
after(() => running.es?.kill());

for (const hasLong of [false, true]) {
  const about = hasLong
    ? "of which some have values that are not indexed whole"
    : "of short values";
  test(`questions about records ${about} are answered as plain code answers them`, {
    skip,
  }, async (t) => {
    const url = running.es?.url ?? "";
    const { elasticsearch } = settingsSchema.parse({ elasticsearch: { nodes: [url] } });
    const client = connectElasticsearch({ ...elasticsearch, nodes: [url] });
    t.after(() => client.close());
    const prng = new Prng(seed);
    const records = drawPlainRecords(prng, recordCount).map((record, i) => ({
      ...record,
      id: `r${i}`,
      ...(hasLong && prng.chance(0.05)
        ? { _msg: `${record["_msg"] ?? ""} ${"error ".repeat(2_000)}` }
        : {}),
    }));
    const prefix = freshPrefix();
    await fill(client, prefix, records);
    const index = indexOf(client, prefix);
    for (let i = 0; i < filterCount; i++) {
      await answersAs(index, drawFilter(prng, 3), records);
    }
    await index.close();
  });
}

function indexOf(client: Client, prefix: string): ElasticIndex {
  const pages = new PageFragments();
  return new ElasticIndex({
    ...{ client, prefix, timeoutMs: 240_000 },
    evaluate: (job) => Promise.resolve(structuredClone(pages.run(job))),
  });
}

async function answersAs(
  index: ElasticIndex,
  filter: FilterNode,
  records: readonly PlainRecord[],
): Promise<void> {
  const about = `SEED=${seed} ${printFilter(filter)}`;
  const ask = async (pipes: string): Promise<readonly PlainRecord[]> => {
    const { rows, summary } = await collectAnswer({
      source: index.source({ timeoutMs: 240_000 }),
      ...{ pool: index.pool, tenant, query: { filter, pipes: pipesOf(pipes) }, range: wholeRange },
    });
    assert.equal(summary.status, "complete");
    return rows;
  };
  const wanted = records.filter((record) => matchesNaively(filter, record));
  assert.deepEqual(idsOf(await ask("fields id")), idsOf(wanted), about);
  assert.deepEqual(await ask("stats count() c"), [{ c: String(wanted.length) }], about);
  const groups = await ask("stats by (level, _stream) count() c");
  assert.deepEqual(linesOf(groups), linesOf(groupsOf(wanted)), about);
  assert.deepEqual(linesOf(await ask("field_names")), linesOf(namesOf(wanted)), about);
}

const wholeRange = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };

function pipesOf(text: string): readonly PipeNode[] {
  return parseQuery(`* | ${text}`).pipes;
}

async function fill(
  client: Client,
  prefix: string,
  records: readonly PlainRecord[],
): Promise<void> {
  for (const { name, body } of indexTemplates(prefix)) {
    await client.indices.putIndexTemplate({ name, ...body });
  }
  const bounds = { bytesMax: 1 << 26, itemsMax: 100_000 };
  const options = { cluster: "00000000-0000", shard: 0, tenant, prefix, after: -1 };
  const { body } = makeDocuments(
    [memoryBlock(records)],
    { block: 0, row: 0 },
    { ...options },
    bounds,
  );
  const operations = Buffer.from(body).toString();
  const { errors, items } = await client.bulk({
    refresh: true,
    operations: operations.split("\n"),
  });
  assert.ok(!errors, JSON.stringify(items.find(({ create }) => create?.error !== undefined)));
}

function idsOf(rows: readonly PlainRecord[]): string[] {
  return rows.map(({ id }) => String(id)).sort();
}

function linesOf(rows: readonly PlainRecord[]): string[] {
  return rows.map((row) => JSON.stringify(Object.entries(row).sort())).sort();
}

function groupsOf(records: readonly PlainRecord[]): PlainRecord[] {
  const groups = Map.groupBy(records, ({ level = "", _stream = "" }) =>
    JSON.stringify([level, _stream]),
  );
  return [...groups].map(([key, { length }]) => {
    const [level, stream] = JSON.parse(key) as [string, string];
    return { level, _stream: stream, c: String(length) };
  });
}

function namesOf(records: readonly PlainRecord[]): PlainRecord[] {
  const fields = records.flatMap((record) => Object.keys(record));
  const names = Map.groupBy(fields, (name) => name);
  return [...names].map(([name, { length }]) => ({ name, hits: String(length) }));
}
