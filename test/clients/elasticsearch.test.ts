import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { Client } from "@elastic/elasticsearch";
import { Service } from "../service.ts";

let service: Service;
let client: Client;
before(async () => {
  service = await Service.start();
  client = new Client({ node: service.http });
});
after(async () => {
  await client.close();
  await service.stop();
});

test("the Elasticsearch client ships in bulk and is told each item's result", async () => {
  const answer = await client.bulk({
    operations: [
      { create: { _index: "web" } },
      { "@timestamp": new Date().toISOString(), message: "first of two", "service.name": "shop" },
      { index: { _index: "web" } },
      { "@timestamp": "no time at all", message: "rejected" },
      { index: { _index: "web" } },
      { "@timestamp": new Date().toISOString(), message: "second of two" },
    ],
  });
  assert.equal(answer.errors, true);
  assert.deepEqual(
    answer.items.map((item) => Object.values(item)[0]?.status),
    [201, 400, 201],
  );
  assert.equal(await service.count('"of two"'), 2);
});

test("the client's bulk helper ships a stream of documents", async () => {
  const documents = Array.from({ length: 2500 }, (_, i) => ({
    message: `document ${i}`,
    batch: "helper",
  }));
  const result = await client.helpers.bulk({
    datasource: documents,
    onDocument: () => ({ create: { _index: "helper" } }),
  });
  assert.equal(result.successful, 2500);
  assert.equal(await service.count("batch:=helper"), 2500);
});

test("the client reads the information document", async () => {
  const info = await client.info();
  assert.match(info.version.number, /^\d+\.\d+\.\d+$/);
});
