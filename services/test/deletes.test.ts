import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../../cluster/test/given.ts";
import { aclOpen } from "../../coordinator/src/client/acl.ts";
import { systemClock } from "../../kit/src/clock.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import { DeleteService, deleteQuestion, everyTime } from "../src/deletes/delete-service.ts";
import { DeleteLedger } from "../src/deletes/ledger.ts";
import { Tombstones } from "../src/deletes/tombstones.ts";
import { DocumentsReader } from "../src/mirror/documents-job.ts";
import { openGiven, openStoreGiven, type StoreGiven, ship } from "./store-given.ts";

let base: Awaited<ReturnType<typeof openGiven>>;
let node: StoreGiven;
let ledger: DeleteLedger;
let deletes: DeleteService;

const { signal } = new AbortController();

before(async () => {
  base = await openGiven();
  node = await openStoreGiven(base.given, base.folder);
  // Another node of the cluster, whose session this is.
  const identity = { nodeId: 2, diskId: "disk-2", incarnation: "of a test" };
  const { client } = await base.given.cluster({ identity });
  ledger = new DeleteLedger(client, aclOpen);
  const { stored, reading, settings } = node;
  const facts = { clock: systemClock, logger: silentLogger, tenantMax: 3 };
  const tombstones = new Tombstones(stored.store, node.shardCount);
  deletes = new DeleteService({ stored, reading, tombstones, settings, ledger, ...facts });
});

after(async () => {
  await deletes.close();
  await node.close();
  await base.close();
});

function question(tenant: string, query: string) {
  return deleteQuestion({ tenant, query, range: everyTime }, Date.now());
}

test("a delete is noted as done when no file holds a match, and told of from then on", async () => {
  await ship(node, "red", [{ service: "api", user: "a", _msg: "one" }]);
  await node.stored.store.seal();
  // No record matches, so that no file has to be kept for queries.
  const made = await deletes.create(question("red", "user:=b _time:5m"), "somebody", signal);
  assert.deepEqual([made.rowsHidden, made.author, made.state], [0, "somebody", "hidden"]);
  assert.match(made.query, /^user:=b _time:\[.*Z, ?.*Z[)\]]$/, "times are those of the request");
  await until(async () => (await deletes.get("red", made.id)).state === "done");
  await until(() => Promise.resolve(deletes.liveCount === 0));
  const [entry] = await ledger.list("red");
  assert.deepEqual([entry?.id, entry?.state, entry?.filesLeft], [made.id, "done", 0]);
  assert.deepEqual(await deletes.list("blue"), []);
  await assert.rejects(deletes.get("blue", made.id), { code: "request.not-found" });
});

test("a delete ends without a damaged file, which is named, and hides what that has for good", async () => {
  const { store } = node.stored;
  await ship(node, "grey", [{ service: "api", user: "a", _msg: "one" }]);
  await store.seal();
  const cut = await store.cut("grey", everyTime);
  const { ref } = cut.parts[0]!;
  cut.release();
  assert.ok(ref.kind === "segment");
  const shard = store.status().shards.findIndex((_, id) => ref.path.includes(`shard-000${id}`));
  store.reportDamage({ shard, uuid: ref.uuid, block: 9, reason: "checksum differs" });
  // As the store, but that it waits for no repair.
  const impatient = {
    status: () => store.status(),
    forgetTombstone: (id: string) => store.forgetTombstone(id),
    keptCopies: () => store.keptCopies(),
    tombstones: () =>
      store.tombstones().map((each) => {
        return { ...each, isEnded: each.filesLeft === each.filesStuck && each.filesKept === 0 };
      }),
  };
  const { stored, reading, settings } = node;
  const facts = { clock: systemClock, logger: silentLogger, tenantMax: 1 };
  const tombstones = new Tombstones(impatient, node.shardCount);
  const service = new DeleteService({ stored, reading, tombstones, settings, ledger, ...facts });
  try {
    const { id } = await service.create(question("grey", "user:=a"), "", signal);
    await until(async () => (await service.get("grey", id)).state === "done");
    const { damaged, filesStuck } = await service.get("grey", id);
    assert.deepEqual([damaged?.length, filesStuck], [1, 1]);
    assert.match(damaged?.[0] ?? "", new RegExp(`^shard ${shard}: \\d+-${ref.uuid}, block 9$`));
    assert.equal(await service.count(question("grey", "user:=a"), signal), 0);
    assert.ok(
      store.tombstones().some(({ placed }) => placed.id === id),
      "it goes on to hide",
    );
    await service.create(question("grey", "user:=b"), "", signal);
  } finally {
    await service.close();
  }
});

test("a look at the disk that fails is taken again, and ends no process", async () => {
  const { stored, reading, settings } = node;
  const { store } = stored;
  let failures = 0;
  const failing = {
    status: () => store.status(),
    forgetTombstone: (id: string) => store.forgetTombstone(id),
    keptCopies: () => store.keptCopies(),
    tombstones: () => {
      failures++;
      throw new Error("EIO: i/o error, scandir");
    },
  };
  const warnings: object[] = [];
  const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
  const tombstones = new Tombstones(failing, node.shardCount);
  const facts = { clock: systemClock, logger };
  const service = new DeleteService({ stored, reading, tombstones, settings, ledger, ...facts });
  await until(() => Promise.resolve(failures > 1));
  await service.close();
  assert.deepEqual(warnings[0], { reason: "EIO: i/o error, scandir" });
});

test("a tenant has so many deletes under way, and another tenant has its own", async () => {
  for (const tenant of ["green", "white"]) {
    await ship(node, tenant, [{ service: "api", n: "1", _msg: "one" }]);
    for (let n = 0; n < 3; n++) {
      // In memory for some seconds yet.
      const made = await deletes.create(question(tenant, "n:=1"), "", signal);
      assert.equal(made.rowsHidden, n === 0 ? 1 : 0);
    }
    await assert.rejects(deletes.create(question(tenant, "n:=2"), "", signal), {
      code: "deletes.too-many",
    });
  }
  assert.equal(await deletes.count(question("green", "*"), signal), 0);
});

test("what is deleted and not taken out yet is not sent to Elasticsearch", async () => {
  const { store } = node.stored;
  const records = Array.from({ length: 20 }, (_, n) => ({ service: "api", n: String(n % 4) }));
  await ship(node, "mirrored", records);
  await store.addTombstone({
    ...{ id: "of a test", tenant: "mirrored", filter: "n:in(1,2)", ...everyTime },
    ...{ createdMs: Date.now(), author: "", rowsHidden: 10 },
  });
  await store.seal();
  const found: string[] = [];
  const reader = new DocumentsReader();
  for (let shard = 0; shard < node.shardCount; shard++) {
    for (const { uuid, partitions } of store.sealed(shard)?.segments ?? []) {
      if (!partitions.some(({ tenant }) => tenant === "mirrored")) continue;
      const pinned = store.pinSegment(shard, uuid)!;
      const made = reader.run({
        ...{ path: pinned.path, uuid, damagedBlocks: [], deletions: pinned.tombstones },
        ...{ cluster: "c", shard, tenant: "mirrored", class: "default", prefix: "p", after: 0 },
        ...{ from: { block: 0, row: 0 }, bytesMax: 1 << 20 },
      });
      pinned.release();
      assert.ok(made.kind === "documents");
      found.push(...Buffer.from(made.documents.body).toString().split("\n"));
    }
  }
  const sent = found.filter((line) => line.includes('"n":'));
  assert.deepEqual(sent.map((line) => /"n":"?(\d)/.exec(line)?.[1]).sort(), [..."0000033333"]);
});
