import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { z } from "zod";
import { describeSettings, settingsJsonSchema } from "../src/describe.ts";
import { loadSettings } from "../src/load.ts";
import { referencePage } from "../src/reference.ts";

const page = new URL("../../docs/configuration.md", import.meta.url);

test("the reference page in docs is the one the schema describes (REWRITE=1 writes it)", () => {
  if (process.env["REWRITE"] === "1") writeFileSync(page, referencePage());
  assert.equal(readFileSync(page, "utf8"), referencePage());
});

test("every setting has a sentence, a kind and a variable of its own", () => {
  const settings = describeSettings();
  assert.ok(settings.length > 30);
  for (const { path, description } of settings) assert.match(description, /^[A-Z].*\.$/, path);
  assert.equal(new Set(settings.map(({ env }) => env)).size, settings.length);
});

test("a number's unit stands in its name", () => {
  for (const { path, kind } of describeSettings()) {
    if (kind === "bytes") assert.match(path, /Bytes$/);
    if (kind === "duration") assert.match(path, /Ms$/);
  }
});

test("every default that can be written as a text loads from its variable as itself", () => {
  for (const { path, env, preset } of describeSettings()) {
    if (preset === undefined) continue;
    const { settings } = loadSettings({ env: { [env]: String(preset) } });
    const found = path.split(".").reduce<unknown>((at, part) => (at as never)[part], settings);
    assert.deepEqual(found, preset, path);
  }
});

test("the JSON schema takes what the loader takes and refuses unknown keys", () => {
  const schema = z.fromJSONSchema(settingsJsonSchema() as z.core.JSONSchema.JSONSchema);
  const good = [
    {},
    { http: { bodyMaxBytes: "32MiB", requestTimeoutMs: "30s" } },
    { http: { bodyMaxBytes: 65_536 }, roles: "all" },
    { roles: ["ingest"], storage: { retention: { days: 3, maxBytes: "1 TiB" } } },
  ];
  for (const value of good)
    assert.equal(schema.safeParse(value).success, true, JSON.stringify(value));
  const bad = [
    { http: { bodyMaxBytes: 1 } },
    { htpp: {} },
    { roles: ["cook"] },
    { node: { id: "x" } },
  ];
  for (const value of bad)
    assert.equal(schema.safeParse(value).success, false, JSON.stringify(value));
});
