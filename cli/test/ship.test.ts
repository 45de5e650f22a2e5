import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { FakeService, problem } from "./fake-service.ts";
import { type Ran, run } from "./run.ts";

const dir = mkdtempSync(join(tmpdir(), "logkeep-ship-"));
const state = join(dir, "state.json");
let service: FakeService;
let url: string;

before(async () => {
  service = new FakeService();
  url = await service.start();
});

beforeEach(() => {
  service.reset();
  rmSync(state, { force: true });
});

after(async () => {
  await service.stop();
  rmSync(dir, { recursive: true, force: true });
});

const ship = (args: readonly string[], options: Parameters<typeof run>[1] = {}): Promise<Ran> =>
  run(["ship", "--url", url, "--state", state, ...args], options);

function fileOf(name: string, content: string | Uint8Array): string {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
}

const linesOf = (from: number, count: number): string =>
  Array.from(
    { length: count },
    (_, i) => `2026-01-31T10:00:00Z line ${from + i} ${"x".repeat(200)}\n`,
  ).join("");

const numbers = (): number[] =>
  service.records.map(({ _msg }) => Number(/line (\d+)/.exec(String(_msg))?.[1]));

test("a file is shipped whole, compressed, under its stream, and says what was accepted", async () => {
  const file = fileOf("a.log", "one\ntwo\nthree");
  const ran = await ship(["--stream", "service=api,host=h1", file]);
  assert.deepEqual([ran.code, ran.err], [0, ""]);
  assert.match(ran.out, /^accepted 3, rejected 0 records \(/);
  assert.deepEqual(
    service.records.map(({ _msg }) => _msg),
    ["one", "two", "three"],
  );
  const [request] = service.seen;
  assert.deepEqual(Object.fromEntries(request?.url.searchParams ?? []), {
    stream: "service,host",
    "extra.service": "api",
    "extra.host": "h1",
    "extra.file": file,
    time: "_time",
    msg: "_msg",
  });
  assert.equal(request?.headers["content-encoding"], "gzip");
  assert.equal(existsSync(state), false);
});

test("gzip and zstd files and stdin are read alike", async () => {
  const text = linesOf(0, 20_000);
  const gz = fileOf(
    "a.gz",
    Buffer.concat([gzipSync(text.slice(0, 100_000)), gzipSync(text.slice(100_000))]),
  );
  const zst = fileOf("a.zst", zstdCompressSync(text));
  for (const ran of [
    await ship([gz]),
    await ship([zst]),
    await ship([], { stdin: Readable.from([Buffer.from(text)]) }),
  ]) {
    assert.deepEqual([ran.code, ran.err], [0, ""]);
  }
  const expected = Array.from({ length: 20_000 }, (_, i) => i);
  const sorted = (from: number) =>
    numbers()
      .slice(from, from + 20_000)
      .sort((a, b) => a - b);
  for (const from of [0, 20_000, 40_000]) assert.deepEqual(sorted(from), expected);
});

test("a compressed file that is damaged is named, and what stood before the damage is sent", async () => {
  const whole = gzipSync(linesOf(0, 30_000), { level: 0 });
  const ran = await ship([fileOf("cut.gz", whole.subarray(0, whole.length / 2))]);
  assert.equal(ran.code, 1);
  assert.match(ran.err, /cannot read .*cut\.gz to its end: unexpected end of file/);
  assert.ok(service.records.length > 5000);
});

test("rejected records are counted and told with their place, and the exit code is 1", async () => {
  const text = `a\n\nREJECT b\nc\nREJECT d\n`;
  const ran = await ship([fileOf("r.log", text)]);
  assert.equal(ran.code, 1);
  assert.match(ran.out, /accepted 2, rejected 2 records/);
  assert.match(ran.err, /^rejected 2: the test rejects it \(first at .*r\.log:3\)\n$/);
});

test("a batch of which nothing is acceptable is counted as rejected, and the rest goes on", async () => {
  service.intercept = (_, response) => {
    service.intercept = undefined;
    const errors = [{ line: 1, reason: "no message" }];
    problem(response, 400, "ingest.nothing-acceptable", "nothing", {
      accepted: 0,
      rejected: 2,
      errors,
    });
    return true;
  };
  const ran = await ship([fileOf("n1.log", "a\nb\n"), fileOf("n2.log", "c\n")]);
  assert.equal(ran.code, 1);
  assert.match(ran.out, /accepted 1, rejected 2 records from 2 sources/);
  assert.match(ran.err, /rejected 1: no message/);
});

test("429, 503 and broken connections are repeated under the same key, and nothing is stored twice", async () => {
  let count = 0;
  service.intercept = async (request, response, raw) => {
    count++;
    if (count === 1) problem(response, 429, "ingest.busy", "busy", {}, { "retry-after": "0" });
    else if (count === 2) problem(response, 503, "ingest.unavailable", "no room");
    else if (count === 3) request.socket.destroy();
    else if (count === 4) {
      // Stored, and the answer lost.
      service.storeQuietly(request, raw);
      request.socket.destroy();
    } else return false;
    return true;
  };
  const ran = await ship([fileOf("retry.log", "a\nb\n")]);
  assert.equal(ran.code, 0);
  assert.deepEqual(
    service.records.map(({ _msg }) => _msg),
    ["a", "b"],
  );
  assert.equal(new Set(service.seen.map(({ headers }) => headers["idempotency-key"])).size, 1);
  assert.match(ran.err, /^ship: busy; trying again\n4 requests were repeated\n$/);
});

test("what cannot succeed later is not repeated", async () => {
  service.intercept = (_, response) => {
    problem(response, 401, "auth.missing", "a key is needed");
    return true;
  };
  const ran = await ship([fileOf("auth.log", "a\n")]);
  assert.equal(ran.code, 1);
  assert.equal(service.seen.length, 1);
  assert.match(ran.err, /a key is needed; give a key with --key or LOGKEEP_KEY/);
});

test("a service that stays away makes the run give up after its time, and the next one goes on", async () => {
  service.intercept = (_, response) => {
    problem(response, 503, "ingest.unavailable", "no room");
    return true;
  };
  const file = fileOf("away.log", "a\n");
  const ran = await ship(["--retry-for", "100ms", file]);
  assert.equal(ran.code, 1);
  assert.match(ran.err, /no room; gave up after/);
  const key = service.seen[0]?.headers["idempotency-key"];
  service.reset();
  assert.equal((await ship([file])).code, 0);
  assert.equal(service.seen[0]?.headers["idempotency-key"], key);
});

test("a run that is interrupted anywhere is taken up by the next one, each line stored once", async () => {
  const file = fileOf("long.log", linesOf(0, 30_000));
  for (const killAfter of [1, 2, 3, 5]) {
    service.reset();
    const kill = new AbortController();
    let requests = 0;
    service.intercept = async (request, _, raw) => {
      requests++;
      if (requests < killAfter) return false;
      // Every second request is stored although its answer never arrives.
      if (requests % 2 === 0) service.storeQuietly(request, raw);
      kill.abort();
      request.socket.destroy();
      return true;
    };
    const first = await ship([file], { signal: kill.signal });
    assert.equal(first.code, 1);
    assert.match(first.err, /interrupted; the same command goes on where this one stopped/);
    service.intercept = undefined;
    const second = await ship([file]);
    assert.equal(second.code, 0);
    assert.deepEqual(
      numbers().sort((a, b) => a - b),
      Array.from({ length: 30_000 }, (_, i) => i),
    );
    assert.equal(existsSync(state), false);
  }
});

test("shipped with another stream, the same file is another shipping", async () => {
  const file = fileOf("twice.log", "a\n");
  await ship(["--stream", "service=a", file]);
  await ship(["--stream", "service=b", file]);
  await ship(["--stream", "service=b", file]);
  assert.equal(service.records.length, 2);
});

test("records without a time keep their order; others go several at a time", async () => {
  let underWay = 0;
  let most = 0;
  let patienceMs = 30;
  service.beforeStore = async () => {
    most = Math.max(most, ++underWay);
    const endMs = performance.now() + patienceMs;
    do await sleep(1);
    while (most === 1 && performance.now() < endMs);
    underWay--;
  };
  const plain = linesOf(0, 25_000).replaceAll("2026-01-31T10:00:00Z ", "");
  await ship([fileOf("plain.log", plain)]);
  assert.equal(most, 1);
  assert.deepEqual(
    numbers(),
    Array.from({ length: 25_000 }, (_, i) => i),
  );
  service.records.length = 0;
  // However long the second takes on a busy machine.
  patienceMs = 30_000;
  await ship([fileOf("timed.log", linesOf(0, 25_000))]);
  assert.ok(most > 1 && most <= 4, String(most));
  assert.equal(new Set(numbers()).size, 25_000);
});

test("progress is kept below XDG_STATE_HOME when no file is named", async () => {
  service.intercept = (_, response) => {
    problem(response, 401, "auth.invalid", "no");
    return true;
  };
  const home = join(dir, "xdg");
  const file = fileOf("xdg.log", "a\n");
  await run(["ship", "--url", url, file], { env: { XDG_STATE_HOME: home } });
  const folder = join(home, "logkeep", "ship");
  assert.equal(existsSync(folder), true);
  service.intercept = undefined;
  const ran = await run(["ship", "--url", url, file], { env: { XDG_STATE_HOME: home } });
  assert.equal(ran.code, 0);
});

test("a state file that is damaged costs no more than sending again", async () => {
  writeFileSync(state, '{"x":');
  const file = fileOf("damaged.log", "a\n");
  assert.equal((await ship([file])).code, 0);
  assert.equal(service.records.length, 1);
});

test("wrong usage is told before anything is sent", async () => {
  const file = fileOf("u.log", "a\n");
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [[join(dir, "none.log")], 1, /cannot read .*none\.log/],
    [[dir], 2, /is a directory/],
    [["-", "-"], 2, /only once/],
    [["--stream", "a b", file], 2, /--stream needs fields/],
    [["--stream", "_msg=x", file], 2, /--stream needs fields/],
    [["--format", "xml", file], 2, /Allowed choices are auto, ndjson/],
    [["--in-flight", "0", file], 2, /whole number from 1 to 64/],
    [["--multiline-start=(", file], 2, /--multiline-start needs a pattern/],
    [["--url", "ftp://x", file], 2, /--url needs/],
  ];
  for (const [args, code, message] of cases) {
    const ran = await ship(args);
    assert.equal(ran.code, code, args.join(" "));
    assert.match(ran.err, message);
  }
  assert.equal(service.seen.length, 0);
});

test("a bar is drawn on a terminal only", async () => {
  const text = linesOf(0, 20_000);
  service.beforeStore = () => sleep(150);
  const on = await run(["ship", "--url", url, "--state", state, fileOf("bar.log", text)], {
    isTTY: true,
  });
  assert.match(on.err, /\r\[#*-*\] +\d+ % {2}.* records {2}/);
  assert.ok(on.err.endsWith("\r\u001b[K"));
  assert.equal(readFileSync(join(dir, "bar.log"), "utf8").length, text.length);
});
