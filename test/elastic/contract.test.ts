import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { keepsQueryContract } from "../contracts/query-contract.ts";
import {
  laterRecords,
  manyCount,
  manyRecords,
  records,
  streamFields,
} from "../contracts/query-data.ts";
import { Elasticsearch, missingElasticsearch } from "../servers/elasticsearch.ts";
import { Service } from "../service.ts";

test("the mirror in Elasticsearch keeps the contract of queries", {
  skip: missingElasticsearch(),
}, async (t) => {
  const server = await Elasticsearch.start();
  t.after(() => server.kill());
  const service = await startWith(t, server);
  for (const batch of [records, laterRecords, manyRecords()]) {
    await service.ship(batch, { stream: streamFields });
  }
  await mirrored(server, records.length + laterRecords.length + manyCount);
  await keepsQueryContract(t, service);
  assert.deepEqual(await openContexts(server), 0, "every point in time is closed");
});

/** A service that seals at once and asks the mirror. */
async function startWith(t: TestContext, server: Elasticsearch): Promise<Service> {
  const service = await Service.start({
    env: {
      LOGKEEP_STORAGE_RETENTION_DAYS: "36500",
      LOGKEEP_STORAGE_SEAL_AGE_MS: "1000",
      LOGKEEP_ELASTICSEARCH_NODES: server.url,
      LOGKEEP_QUERY_INDEX: "elasticsearch",
    },
  });
  t.after(() => service.stop());
  return service;
}

const mirroredTimeoutMs = 240_000;

/** Waits until so many records of the contract can be found; the service's own log is mirrored too. */
async function mirrored(server: Elasticsearch, wanted: number): Promise<void> {
  const until = performance.now() + mirroredTimeoutMs;
  for (;;) {
    await fetch(`${server.url}/logkeep-default-*/_refresh`, { method: "POST" });
    const response = await fetch(`${server.url}/logkeep-default-*/_count`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ query: { exists: { field: "n.exact" } } }),
    });
    const { count } = (await response.json()) as { count?: number };
    if (count === wanted) return;
    assert.ok(performance.now() < until, `${count} of ${wanted} records are mirrored`);
    await sleep(200);
  }
}

/** Searches and points in time that the server keeps. */
async function openContexts(server: Elasticsearch): Promise<number> {
  const response = await fetch(`${server.url}/_nodes/stats/indices/search`);
  const { nodes } = (await response.json()) as {
    nodes: Record<string, { indices: { search: { open_contexts: number } } }>;
  };
  return Object.values(nodes).reduce((sum, node) => sum + node.indices.search.open_contexts, 0);
}
