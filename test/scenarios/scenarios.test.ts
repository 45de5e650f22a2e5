// REST behaviour as YAML: each file is a story against a fresh service. A step sends a request and says what
// must come back: `status`, `json` (these members, others are free), `lines` (NDJSON rows, exactly), `matches`
// (regular expressions the body must match), `headers`.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { parse } from "yaml";
import { Service } from "../service.ts";

interface Step {
  readonly name: string;
  readonly method?: string;
  readonly path: string;
  /** Parameters, added to the path. */
  readonly query?: Readonly<Record<string, string | number>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly status?: number;
  readonly json?: unknown;
  readonly lines?: readonly Readonly<Record<string, string>>[];
  readonly matches?: readonly string[];
  readonly answerHeaders?: Readonly<Record<string, string>>;
}

interface Story {
  readonly story: string;
  readonly args?: readonly string[];
  readonly steps: readonly Step[];
}

/** The members of `part` are in `whole`, arrays of one length, everything else equal. */
function includes(whole: unknown, part: unknown, place: string): void {
  if (Array.isArray(part)) {
    assert.ok(Array.isArray(whole), `${place} is a list`);
    assert.equal(whole.length, part.length, `length of ${place}: ${JSON.stringify(whole)}`);
    for (const [at, each] of part.entries()) includes(whole[at], each, `${place}[${at}]`);
  } else if (typeof part === "object" && part !== null) {
    assert.ok(typeof whole === "object" && whole !== null, `${place} is an object`);
    for (const [name, value] of Object.entries(part)) {
      includes((whole as Record<string, unknown>)[name], value, `${place}.${name}`);
    }
  } else assert.deepEqual(whole, part, place);
}

async function run(service: Service, step: Step): Promise<void> {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(step.query ?? {})) params.set(name, String(value));
  const search = params.size === 0 ? "" : `?${params}`;
  const response = await fetch(`${service.http}${step.path}${search}`, {
    method: step.method ?? (step.body === undefined ? "GET" : "POST"),
    headers: step.headers ?? {},
    ...(step.body === undefined ? {} : { body: step.body }),
  });
  const text = await response.text();
  assert.equal(response.status, step.status ?? 200, text.slice(0, 500));
  for (const [name, value] of Object.entries(step.answerHeaders ?? {})) {
    assert.match(response.headers.get(name) ?? "", new RegExp(value));
  }
  for (const pattern of step.matches ?? []) assert.match(text, new RegExp(pattern));
  if (step.json !== undefined) includes(JSON.parse(text), step.json, "answer");
  if (step.lines !== undefined) {
    const rows = text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as unknown);
    assert.deepEqual(rows, step.lines);
  }
}

for (const file of readdirSync(import.meta.dirname).filter((each) => each.endsWith(".yaml"))) {
  const story = parse(readFileSync(path.join(import.meta.dirname, file), "utf8")) as Story;
  test(story.story, async (t) => {
    const service = await Service.start({ args: story.args ?? [] });
    try {
      for (const step of story.steps) await t.test(step.name, () => run(service, step));
    } finally {
      await service.stop();
    }
  });
}
