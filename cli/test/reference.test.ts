import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { registerVerbs } from "../src/cli.ts";
import { programOf } from "../src/program.ts";
import { cliReference } from "../src/reference.ts";
import { registerZk } from "../src/zk.ts";

const page = new URL("../../docs/cli.md", import.meta.url);

test("the page in docs is the one the verbs describe (REWRITE=1 writes it)", () => {
  const stream = new PassThrough();
  const io = { stdin: stream, stdout: stream, stderr: stream, env: {}, isTTY: false };
  const whole = { ...io, signal: new AbortController().signal };
  const program = programOf(whole);
  registerVerbs(program, whole);
  registerZk(program, whole);
  const text = cliReference(program);
  if (process.env["REWRITE"] === "1") writeFileSync(page, text);
  assert.equal(readFileSync(page, "utf8"), text);
});
