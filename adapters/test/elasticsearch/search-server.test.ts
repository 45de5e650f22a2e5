// Goal: questions burden Elasticsearch no more than it bears, and outlast a moment without room.
// Method: a server of HTTP that answers as Elasticsearch does when it has no room, or late.
import assert from "node:assert/strict";
import { once } from "node:events";
import http, { type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@elastic/elasticsearch";
import { busyTriesMax, requestsMax } from "../../src/elasticsearch/search/limits.ts";
import { SearchServer } from "../../src/elasticsearch/search/server.ts";

async function serverOf(t: TestContext, answer: RequestListener): Promise<SearchServer> {
  const server = http.createServer((request, response) => {
    response.setHeader("X-Elastic-Product", "Elasticsearch");
    response.setHeader("Content-Type", "application/json");
    answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = new Client({ node: `http://127.0.0.1:${port}` });
  t.after(async () => {
    await client.close();
    server.closeAllConnections();
    server.close();
  });
  return new SearchServer(client, 10_000);
}

const ask = { method: "POST", path: "/_search" } as const;

test("a question goes on when Elasticsearch had no room for a moment, and says so when it has none", async (t) => {
  let refusals = 2;
  let asked = 0;
  const server = await serverOf(t, (_, response) => {
    asked++;
    response.statusCode = refusals-- > 0 ? 429 : 200;
    response.end("{}");
  });
  assert.deepEqual(await server.json(ask), {});
  assert.equal(asked, 3);
  refusals = Number.POSITIVE_INFINITY;
  asked = 0;
  await assert.rejects(server.json(ask), { code: "index.unavailable" });
  assert.equal(asked, busyTriesMax);
  const signal = AbortSignal.timeout(50);
  await assert.rejects(server.json({ ...ask, signal }), { code: "query.timeout" });
});

test("a few requests are under way at a time, and who leaves while it waits is not asked for", async (t) => {
  let open = 0;
  let most = 0;
  let asked = 0;
  const full = Promise.withResolvers<void>();
  const server = await serverOf(t, async (_, response) => {
    asked++;
    most = Math.max(most, ++open);
    // However long the last of them takes to get here; and then some, in which no more may come.
    if (most === requestsMax) full.resolve();
    await full.promise;
    await sleep(50);
    open--;
    response.end("{}");
  });
  const all = Array.from({ length: 4 * requestsMax }, () => server.json(ask));
  const leaver = new AbortController();
  const left = server.json({ ...ask, signal: leaver.signal });
  leaver.abort();
  await assert.rejects(left, { code: "query.cancelled" });
  await Promise.all(all);
  assert.equal(most, requestsMax);
  assert.equal(asked, all.length);
});
