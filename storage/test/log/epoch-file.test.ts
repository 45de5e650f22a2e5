import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { nodeDisk } from "../../src/log/disk.ts";
import { EpochFile } from "../../src/log/epoch-file.ts";
import { temp } from "./temp.ts";

test("promises, lineage and committed positions outlive a restart", async (t) => {
  const directory = temp(t);
  const file = EpochFile.open(nodeDisk, directory);
  await file.promise(
    new Map([
      [0, 3],
      [1, 1],
    ]),
  );
  await Promise.all([
    file.begin(new Map([[0, { epoch: 3, firstPosition: 10 }]])),
    file.commit(new Map([[0, 12]])),
    file.commit(new Map([[0, 11]])),
  ]);
  const again = EpochFile.open(nodeDisk, directory);
  assert.deepEqual(again.of(0), {
    promised: 3,
    lineage: [{ epoch: 3, firstPosition: 10 }],
    committed: 12,
  });
  assert.equal(again.of(1).promised, 1);
  assert.equal(again.of(2).promised, 0);
});

test("an epoch that wrote nothing leaves no step in the lineage", async (t) => {
  const file = EpochFile.open(nodeDisk, temp(t));
  for (const epoch of [1, 2]) {
    await file.promise(new Map([[0, epoch]]));
    await file.begin(new Map([[0, { epoch, firstPosition: 1 }]]));
  }
  assert.deepEqual(file.of(0).lineage, [{ epoch: 2, firstPosition: 1 }]);
});

test("a flipped bit in the file of epochs is refused", async (t) => {
  const directory = temp(t);
  await EpochFile.open(nodeDisk, directory).promise(new Map([[0, 1]]));
  const path = join(directory, "epochs");
  const whole = readFileSync(path);
  for (let at = 0; at < whole.length - 1; at++) {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 1;
    writeFileSync(path, bytes);
    assert.throws(() => EpochFile.open(nodeDisk, directory), { code: "storage.damaged" });
  }
});

test("where a shard may have lost its last entries outlives restarts, until its log begins anew or a person gives them up", async (t) => {
  const directory = temp(t);
  const file = EpochFile.open(nodeDisk, directory);
  await file.promise(new Map([1, 2].map((shard) => [shard, 1])));
  const place = { file: "log-000000000001", offset: 4096 };
  await file.lose(new Map([1, 2].map((shard) => [shard, place])));
  const record = { promised: 2, lineage: [], committed: 0 };
  await file.commit(new Map([[2, 7]]));
  await file.replace(1, record);
  assert.deepEqual(EpochFile.open(nodeDisk, directory).of(1).lost, place);
  file.noteReset(1, 0);
  await file.flush();
  const again = EpochFile.open(nodeDisk, directory);
  assert.equal(again.of(1).lost, undefined);
  const given = await again.acceptLost(() => 5);
  assert.deepEqual(given, { entries: [{ shard: 2, from: 6, through: 7 }], places: [place] });
  assert.deepEqual(await again.acceptLost(() => 5), { entries: [], places: [] });
  const { committed, lost, promised } = EpochFile.open(nodeDisk, directory).of(2);
  assert.deepEqual([promised, committed, lost], [1, 5, undefined]);
});
