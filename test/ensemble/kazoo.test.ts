import assert from "node:assert/strict";
import { once } from "node:events";
import path from "node:path";
import test from "node:test";
import { missingPython, python } from "../machine.ts";
import { spawnServer } from "../servers/child.ts";
import { Ensemble } from "./ensemble.ts";
import { lacking, membersOf } from "./story.ts";

test("kazoo's session, ephemeral and lock live through the death of the leader", {
  skip: missingPython("kazoo") || lacking(membersOf(3), false),
  timeout: 300_000,
}, async (context) => {
  const ensemble = await Ensemble.start({ kinds: membersOf(3) });
  context.after(() => ensemble.end());
  const hosts = ensemble.addresses.map(({ host, port }) => `${host}:${port}`).join(",");
  const script = path.join(import.meta.dirname, "kazoo-ensemble.py");
  const child = spawnServer(python, [script, hosts], { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const ready = new Promise<void>((resolve) => {
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.includes("ready")) resolve();
    });
  });
  const exited = once(child, "exit");
  await Promise.race([ready, exited]);
  const leader = await ensemble.serving();
  await leader.kill();
  await ensemble.serving();
  child.stdin?.end("go on\n");
  assert.deepEqual(await exited, [0, null], `${errors}\n${ensemble.logs()}`);
  assert.match(said, /ok\n$/);
});
