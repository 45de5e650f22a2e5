import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import { missingPython, python } from "../machine.ts";
import { Service } from "../service.ts";

test("kazoo watches, creates and ships records by znodes", {
  skip: missingPython("kazoo"),
}, async (context) => {
  const service = await Service.start();
  context.after(() => service.kill());
  // Not `kazoo.py`: a script's own folder comes first where Python looks for modules.
  const script = path.join(import.meta.dirname, "kazoo-client.py");
  const ran = await promisify(execFile)(python, [script, service.coordinator], { timeout: 60_000 });
  assert.equal(ran.stdout.trim(), "ok", ran.stderr);
  assert.equal(await service.count('{service="kazoo"}'), 200);
  assert.equal(await service.count('"only a text"'), 1);
  assert.equal(await service.stop(), 0);
});
