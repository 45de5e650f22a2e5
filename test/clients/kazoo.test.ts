import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import test from "node:test";
import { missingPython, python } from "../machine.ts";
import { Service } from "../service.ts";

test("kazoo watches, creates and ships records by znodes", {
  skip: missingPython("kazoo"),
}, async () => {
  const service = await Service.start();
  const script = path.join(import.meta.dirname, "kazoo.py");
  const ran = spawnSync(python, [script, service.coordinator, service.http], { timeout: 60_000 });
  assert.equal(ran.stdout.toString().trim(), "ok", ran.stderr.toString());
  assert.equal(await service.count('{service="kazoo"}'), 200);
  assert.equal(await service.count('"only a text"'), 1);
  await service.stop();
});
