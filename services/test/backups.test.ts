import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../../kit/src/clock.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import { BackupService } from "../src/backup/backup-service.ts";
import { backupsMax, idleMsMax } from "../src/backup/limits.ts";
import { openGiven, openStoreGiven, type StoreGiven, ship } from "./store-given.ts";

let base: Awaited<ReturnType<typeof openGiven>>;
let node: StoreGiven;
let backups: BackupService;
let aheadMs = 0;

before(async () => {
  base = await openGiven();
  node = await openStoreGiven(base.given, base.folder);
  // Another node of the cluster, whose session this is.
  const identity = { nodeId: 2, diskId: "disk-2", incarnation: "of a test" };
  const cluster = await base.given.cluster({ identity });
  backups = new BackupService({
    store: node.stored.store,
    ...{ cluster, nodeId: 1, isClosed: false, version: "0", logger: silentLogger },
    clock: { ...systemClock, monotonicMs: () => performance.now() + aheadMs },
  });
});

after(async () => {
  await backups.close();
  await node.close();
  await base.close();
});

const record = { service: "api", _msg: "a record" };

test("files of a backup stay while it is held, whatever seals and merges do, and no longer", async () => {
  const { store } = node.stored;
  for (let n = 0; n < 4; n++) {
    await ship(node, "red", [record]);
    await store.seal();
  }
  const started = await backups.start();
  const bytesOf = async (name: string): Promise<number> => {
    const { read, done } = backups.open(started.id, name);
    let bytes = 0;
    for await (const piece of read()) bytes += piece.length;
    done();
    return bytes;
  };
  assert.ok(started.files.length > 4, "segments and checkpoints");
  await ship(node, "red", [record]);
  await store.seal();
  await store.merge();
  assert.ok(store.status().counts.merges > 0);
  for (const { name, bytes } of started.files) assert.equal(await bytesOf(name), bytes);
  // A client that reads keeps it; one that has gone does not.
  const { done } = backups.open(started.id, started.files[0]!.name);
  aheadMs += idleMsMax + 1;
  const next = await backups.start();
  assert.equal(backups.heldCount, 2);
  done();
  aheadMs += idleMsMax + 1;
  const last = await backups.start();
  assert.equal(backups.heldCount, 1);
  assert.throws(() => backups.open(next.id, started.files[0]!.name), { code: "request.not-found" });
  backups.release(last.id);
  assert.deepEqual(readdirSync(join(base.folder, "storage", "held")), []);
});

test("a backup has all that was acknowledged, and more than so many at a time are refused", async () => {
  await ship(node, "red", [record, record]);
  const rowsOf = async (): Promise<number> => {
    const { shards } = await backups.start();
    return shards.flatMap(({ segments }) => segments).reduce((sum, { rows }) => sum + rows, 0);
  };
  assert.equal(await rowsOf(), 7);
  for (let more = 1; more < backupsMax; more++) await rowsOf();
  await assert.rejects(backups.start(), { code: "backup.busy" });
});
