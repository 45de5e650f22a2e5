// Goal: what `logkeep export` writes is whole and holds each record once, or it says that it is not.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import os from "node:os";
import path from "node:path";
import test, { after, beforeEach } from "node:test";
import { FakeService } from "./fake-service.ts";
import { run } from "./run.ts";

const service = new FakeService();
const url = await service.start();
const folder = mkdtempSync(path.join(os.tmpdir(), "logkeep-export-"));
after(async () => {
  await service.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => service.reset());

const summary = (more: object = {}): object => ({
  _summary: { status: "complete", rows: 4, scanned: 1, took_ms: 1, ...more },
});

function lines(...items: readonly object[]): string {
  return items.map((item) => `${JSON.stringify(item)}\n`).join("");
}

/** Answers one request after the other; the form of each is kept. */
function answering(answers: readonly ((response: ServerResponse) => void)[]): URLSearchParams[] {
  const asked: URLSearchParams[] = [];
  service.intercept = (_, response, body) => {
    asked.push(new URLSearchParams(body.toString()));
    answers[asked.length - 1]?.(response);
    return true;
  };
  return asked;
}

const whole = (text: string) => (response: ServerResponse) => void response.end(text);
/** Sends so much and breaks the connection. */
const broken = (text: string) => (response: ServerResponse) => {
  response.write(text, () => setTimeout(() => response.destroy(), 20));
};

const first = lines({ n: "1" }, { n: "2" }, { _cursor: "A" }, { n: "3" });
const second = lines({ n: "3" }, { n: "4" }, { _cursor: "B" }, summary());

test("a connection that breaks off is taken up at the last cursor, and no record is written twice", async () => {
  const asked = answering([broken(first), whole(second)]);
  const { code, out } = await run(["export", "a b", "--url", url, "--from", "2h"]);
  assert.equal(code, 0);
  assert.equal(out, lines({ n: "1" }, { n: "2" }, { n: "3" }, { n: "4" }));
  assert.deepEqual(
    asked.map((form) => [form.get("query"), form.get("start"), form.get("cursor")]),
    [
      ["a b", "2h", null],
      ["a b", "2h", "A"],
    ],
  );
});

test("a file goes on behind what was noted, with the columns that it began with", async () => {
  const output = path.join(folder, "logs.csv");
  const refused = (response: ServerResponse): void => {
    response.writeHead(400, { "content-type": "application/problem+json" });
    response.end(JSON.stringify({ code: "query.invalid", detail: "no more" }));
  };
  answering([broken(lines({ _columns: ["n", "x"] }) + first), refused]);
  const args = ["export", "*", "--url", url, "--output", output];
  const failed = await run(args);
  assert.equal(failed.code, 1);
  assert.match(failed.err, /no more/);
  // As a process that is killed between writing and noting leaves it.
  writeFileSync(output, `${readFileSync(output, "utf8")}half a li`);
  const asked = answering([whole(second)]);
  const done = await run([...args, "--continue"]);
  assert.equal(done.code, 0, done.err);
  assert.equal(readFileSync(output, "utf8"), "n,x\n1,\n2,\n3,\n4,\n");
  assert.deepEqual([asked[0]?.get("cursor"), asked[0]?.get("columns")], ["A", null]);
  assert.ok(!existsSync(`${output}.export`));
});

test("an export of another query is not taken up", async () => {
  const output = path.join(folder, "other.ndjson");
  answering([broken(first), (response) => response.writeHead(404).end("{}")]);
  await run(["export", "one", "--url", url, "--output", output]);
  const { code, err } = await run(["export", "two", "--url", url, "-o", output, "--continue"]);
  assert.equal(code, 1);
  assert.match(err, /of another export/);
  rmSync(output);
  const gone = await run(["export", "one", "--url", url, "-o", output, "--continue"]);
  assert.equal(gone.code, 1);
});

test("an answer that lacks something ends with 1 and says what", async () => {
  answering([
    whole(
      lines({ n: "1" }, { _cursor: "A" }, summary({ status: "partial", missing: ["shard 3"] })),
    ),
  ]);
  const { code, out, err } = await run(["export", "*", "--url", url]);
  assert.equal(code, 1);
  assert.equal(out, lines({ n: "1" }));
  assert.match(err, /shard 3/);
});

test("a limit counts what earlier tries wrote", async () => {
  const asked = answering([broken(first), whole(second)]);
  await run(["export", "*", "--url", url, "--limit", "4"]);
  assert.deepEqual(
    asked.map((form) => form.get("limit")),
    ["4", "2"],
  );
});

test("Parquet that breaks off leaves no file", async () => {
  const output = path.join(folder, "logs.parquet");
  const refused = (response: ServerResponse): void => void response.writeHead(404).end("{}");
  answering([broken("PAR1 and more"), refused]);
  const { code } = await run(["export", "*", "--url", url, "--output", output]);
  assert.equal(code, 1);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes("parquet")),
    [],
  );
});

test("wrong usage ends with 2", async () => {
  for (const more of [["--format", "parquet"], ["--continue"], ["--limit", "0"], ["--format", "x"]])
    assert.equal((await run(["export", "*", "--url", url, ...more])).code, 2);
});
