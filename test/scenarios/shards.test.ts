// Goal: the number of shards is the cluster's, not the settings': where a record lies follows from it.
import assert from "node:assert/strict";
import test from "node:test";
import { Service, temporaryFolder } from "../service.ts";

const hosts = 20;

test("a data directory keeps the number of shards it was made with, and its records, when the default is another", async (t) => {
  const dataDir = temporaryFolder();
  const records = Array.from({ length: hosts }, (_, n) => ({ service: "s", host: `h${n}` }));

  const first = await Service.start({ dataDir, args: ["--set", "storage.shards=7"] });
  t.after(() => first.kill());
  assert.equal(await shardsOf(first), 7);
  await first.ship(records);
  await first.stop();

  const second = await Service.start({ dataDir });
  t.after(() => second.kill());
  assert.equal(await shardsOf(second), 7);
  // Streams must still be found where they were put, and go on there.
  await second.ship(records);
  assert.deepEqual(
    await second.search("service:=s | stats by (host) count() c | stats count() n, max(c) m"),
    [{ n: String(hosts), m: "2" }],
  );
  await second.stop();
});

test("a new data directory gets four shards", async (t) => {
  const service = await Service.start();
  t.after(() => service.kill());
  assert.equal(await shardsOf(service), 4);
  await service.stop();
});

async function shardsOf(service: Service): Promise<number> {
  const response = await fetch(`${service.http}/api/v1/cluster`);
  const { shards } = (await response.json()) as { readonly shards: { readonly total: number } };
  return shards.total;
}
