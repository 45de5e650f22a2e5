// Goal: Prometheus reads what mntr tells, under the same names, in the form that ZooKeeper's exporter writes.
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import test, { type TestContext } from "node:test";

import type { Coordinator } from "../src/server/start.ts";
import { fourLetters, RawClient, serve } from "./server-harness.ts";

async function get(
  { metricsAddress }: Coordinator,
  path: string,
  options: { readonly method?: string; readonly host?: string } = {},
): Promise<{ readonly status: number; readonly type: string; readonly text: string }> {
  const { host, port } = metricsAddress!;
  const headers = options.host === undefined ? {} : { host: options.host };
  const sent = request({ host, port, path, method: options.method ?? "GET", headers });
  sent.end();
  const [response] = await once(sent, "response");
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, type: response.headers["content-type"], text };
}

async function serveMetrics(context: TestContext, ofProcess = false): Promise<Coordinator> {
  return serve(context, { metrics: { host: "127.0.0.1", port: 0, ofProcess } });
}

test("every figure of mntr is shown under its name, with its kind", async (context) => {
  const coordinator = await serveMetrics(context);
  const { client } = await RawClient.open(context, coordinator.address.port);
  await client.create("/a");
  await client.exists("/a");
  const { status, type, text } = await get(coordinator, "/metrics");
  assert.deepEqual([status, type], [200, "text/plain; version=0.0.4; charset=utf-8"]);
  const sample = String.raw`\w+(\{quantile="[\d.]+",\})? (NaN|-?[\d.]+(e[+-]?\d+)?)`;
  const family = String.raw`# HELP (\w+) \1\n# TYPE \1 (gauge|counter|summary)\n(${sample}\n)+`;
  assert.equal(text.replaceAll(new RegExp(family, "g"), ""), "");
  assert.match(text, /\n# TYPE znode_count gauge\nznode_count \d+\.0\n/);
  assert.match(text, /\n# TYPE connection_rejected counter\nconnection_rejected 0\.0\n/);
  assert.match(text, /\nupdatelatency\{quantile="0\.99",\} \d+\.0\nupdatelatency_count 1\.0\n/);
  assert.match(text, /\nreadlatency_count 1\.0\nreadlatency_sum \d+\.0\n/);
  assert.match(text, /\nlogkeep_coordinator_availability 1\.0\n/);
  assert.match(text, /\nlogkeep_coordinator_txns_per_notification NaN\n/);
  assert.doesNotMatch(text, /process_/);
  const shown = new Set([...text.matchAll(/^# TYPE (\w+)/gm)].map((match) => match[1]));
  const told = await fourLetters(coordinator.address.port, "mntr");
  for (const [, name] of told.matchAll(/^zk_(\w+)\t/gm)) {
    if (name === "version" || name === "server_state") continue;
    assert(
      shown.has(
        name!.replace(/^(avg|min|max|cnt|sum|p\d+)_(?=\w+(latency|time|time_ms|deficit)$)/, ""),
      ) || shown.has(name!),
      name,
    );
  }
});

test("the process's own figures are shown on demand; other paths, methods and names are refused", async (context) => {
  const coordinator = await serveMetrics(context, true);
  const { text } = await get(coordinator, "/metrics?name=x");
  assert.match(text, /\nprocess_resident_memory_bytes \d+\.0\n/);
  const rows: readonly (readonly [string, { method?: string; host?: string }, number])[] = [
    ["/", {}, 404],
    ["/metrics", { method: "POST" }, 405],
    ["/metrics", { host: "evil.example:7000" }, 421],
    ["/metrics", { host: "localhost:7000" }, 200],
  ];
  for (const [path, options, status] of rows) {
    assert.equal((await get(coordinator, path, options)).status, status, path);
  }
  assert.equal((await serve(context)).metricsAddress, undefined);
});
