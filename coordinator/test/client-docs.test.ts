import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { ZooKeeperClient } from "../src/client/client.ts";
import { openServer } from "./client-server.ts";
import { temporaryDirectory } from "./log-harness.ts";

const page = join(import.meta.dirname, "../../docs/coordinator-client.md");

test("the examples of the page run, one after the other", async (context) => {
  const server = await openServer();
  context.after(() => server.close());
  const connect = server.address + server.chroot;
  const source = pathToFileURL(join(import.meta.dirname, "../src")).href;
  const examples = [...readFileSync(page, "utf8").matchAll(/^```ts\n(.*?)^```$/gms)];
  assert.ok(examples.length >= 3);
  const text = examples
    .map(([, code]) => code)
    .join("\n")
    .replaceAll("../coordinator/src", source)
    .replace("a:2181,b:2181,c:2181/app", connect);
  assert.ok(text.includes(connect));
  const file = join(temporaryDirectory(context), "examples.ts");
  writeFileSync(file, text);
  await import(pathToFileURL(file).href);
  const client = new ZooKeeperClient({ connect });
  context.after(() => client.close());
  assert.equal(String((await client.getData("/greeting")).data), "bye");
  assert.equal(String((await client.getData("/report")).data), "new");
  const { children } = await client.getChildren("/");
  assert.ok(children.some((name) => name.startsWith("sent-")));
});
