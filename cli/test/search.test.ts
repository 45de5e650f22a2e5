import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { FakeService, problem } from "./fake-service.ts";
import { type Ran, run } from "./run.ts";

let service: FakeService;
let url: string;

before(async () => {
  service = new FakeService();
  url = await service.start();
});

beforeEach(() => service.reset());

after(() => service.stop());

const rows = [
  {
    _time: "2026-01-31T10:00:01Z",
    _stream: '{service="api"}',
    _msg: "it broke",
    level: "error",
    n: "7",
  },
  {
    _time: "2026-01-31T10:00:00Z",
    _stream: '{service="api"}',
    _msg: 'say "hi", twice',
    level: "info",
  },
];

function answer(lines: readonly object[], summary: object | undefined, headers = {}): void {
  service.intercept = (_, response) => {
    response.writeHead(200, { "content-type": "application/x-ndjson", ...headers });
    // In pieces that cut lines and characters.
    const bytes = Buffer.from(
      [...lines, ...(summary === undefined ? [] : [{ _summary: summary }])]
        .map((line) => `${JSON.stringify(line)}\n`)
        .join(""),
    );
    for (let at = 0; at < bytes.length; at += 37) response.write(bytes.subarray(at, at + 37));
    response.end();
    return true;
  };
}

const complete = { status: "complete", scanned: 2048, took_ms: 3.4 };

const search = (args: readonly string[], isTTY = false): Promise<Ran> =>
  run(["search", "--url", url, ...args], { isTTY, env: { NO_COLOR: "1" } });

const forms: readonly (readonly [readonly string[], string])[] = [
  [[], `${rows.map((row) => JSON.stringify(row)).join("\n")}\n`],
  [
    ["-o", "text"],
    '2026-01-31T10:00:01Z {service="api"} error it broke\n' +
      '2026-01-31T10:00:00Z {service="api"} info say "hi", twice\n',
  ],
  [["-o", "json"], `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`],
  [
    ["-o", "csv"],
    "_time,_stream,_msg,level,n\n" +
      '2026-01-31T10:00:01Z,"{service=""api""}",it broke,error,7\n' +
      '2026-01-31T10:00:00Z,"{service=""api""}","say ""hi"", twice",info,\n',
  ],
  [
    ["-o", "table"],
    "_time                 _stream          _msg             level  n\n" +
      '2026-01-31T10:00:01Z  {service="api"}  it broke         error  7\n' +
      '2026-01-31T10:00:00Z  {service="api"}  say "hi", twice  info\n',
  ],
];

for (const [args, out] of forms) {
  test(`search ${args.join(" ")} prints rows in its form`, async () => {
    answer(rows, complete);
    assert.deepEqual(await search(["x", ...args]), { code: 0, out, err: "" });
  });
}

test("search asks with the times, limit, key and tenant it was given", async () => {
  answer([], complete);
  const args = [
    "a b",
    "--from",
    "1h",
    "--to",
    "now-5m",
    "--limit",
    "0",
    "--key",
    "lk_x",
    "--tenant",
    "t",
  ];
  assert.equal((await search(args)).code, 0);
  const [request] = service.seen;
  assert.deepEqual(Object.fromEntries(request?.url.searchParams ?? []), {
    query: "a b",
    start: "1h",
    end: "now-5m",
    limit: "0",
    summary: "1",
  });
  assert.equal(request?.headers.authorization, "Bearer lk_x");
  assert.equal(request?.headers["x-logkeep-tenant"], "t");
});

test("a query too long for a URL goes as a form", async () => {
  answer([], complete);
  const query = "x".repeat(10_000);
  assert.equal((await search([query])).code, 0);
  assert.equal(service.seen[0]?.method, "POST");
  assert.equal(new URLSearchParams(service.seen[0]?.body).get("query"), query);
});

test("on a terminal rows are text with colour, and nothing in them reaches the terminal as control", async () => {
  answer(
    [{ _time: "t", _stream: "{}", _msg: "a\u001b[2Jb\u0007\u202ec", level: "warn" }],
    complete,
  );
  const ran = await run(["search", "--url", url, "x"], { isTTY: true });
  assert.equal(ran.out, "\u001b[2mt\u001b[22m \u001b[33mwarn\u001b[39m a␛[2Jb␇\ufffdc\n");
});

test("rows of aggregates are printed as pairs", async () => {
  answer([{ level: "error", n: "3", "a b": "" }], complete);
  assert.equal((await search(["x", "-o", "text"])).out, 'level=error n=3 a b=""\n');
});

test("an answer without rows is empty in every form that is not JSON", async () => {
  for (const [form, out] of [
    ["text", ""],
    ["ndjson", ""],
    ["csv", ""],
    ["table", ""],
    ["json", "[]\n"],
  ] as const) {
    answer([], complete);
    assert.equal((await search(["x", "-o", form])).out, out);
  }
});

test("a syntax error is shown under its column, and the exit code is 1", async () => {
  service.intercept = (_, response) => {
    const more = {
      line: 2,
      column: 5,
      expected: ["a value"],
      suggestion: "did you mean level:error?",
    };
    problem(response, 400, "query.syntax", "expected a value", more);
    return true;
  };
  const ran = await search(["x AND\n\tlevel:"]);
  assert.equal(ran.code, 1);
  assert.equal(
    ran.err,
    "logkeep: expected a value\n  \tlevel:\n  \t   ^\n  did you mean level:error?\n",
  );
});

test("a partial answer is said on stderr and its rows are printed", async () => {
  answer(
    rows.slice(0, 1),
    { status: "partial", missing: ["3", "7"] },
    { "x-logkeep-partial": "3,7" },
  );
  const ran = await search(["x"]);
  assert.deepEqual(
    [ran.code, ran.err],
    [0, "partial: the answer is incomplete, shards 3, 7 could not be asked\n"],
  );
  assert.notEqual(ran.out, "");
});

test("an answer that breaks off, or ends in an error, is a failure after its rows", async () => {
  answer(rows, { status: "error", code: "query.timeout" });
  const failed = await search(["x"]);
  assert.equal(failed.code, 1);
  assert.match(failed.err, /query\.timeout; rows are missing/);
  service.intercept = (_, response: ServerResponse) => {
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    response.write(`${JSON.stringify(rows[0])}\n`, () => response.destroy());
    return true;
  };
  const broken = await search(["x"]);
  assert.equal(broken.code, 1);
  assert.match(broken.err, /the answer broke off and is incomplete/);
  assert.notEqual(broken.out, "");
});

test("--summary tells what was read", async () => {
  answer(rows, complete);
  assert.equal((await search(["x", "--summary"])).err, "2 rows, 2.00 KiB read, 3 ms\n");
});

test("a service that is not there, or is none of ours, is told in one line", async () => {
  const gone = new FakeService();
  const goneUrl = await gone.start();
  await gone.stop();
  const away = await run(["search", "--url", goneUrl, "x"]);
  assert.equal(away.code, 1);
  assert.match(
    away.err,
    /^logkeep: cannot reach http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED.*; is it running\?.*\n$/,
  );
  service.intercept = (_, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<html>\n");
    return true;
  };
  assert.match((await search(["x"])).err, /not NDJSON; is it Logkeep\?/);
});

test("--explain asks for the plan, and with analyze for what running it takes", async () => {
  const texts: string[] = [];
  service.intercept = (request, response) => {
    texts.push(String(request.headers.accept));
    response.end("query  error\n");
    return true;
  };
  const plan = await search(["error", "--explain", "--limit", "5"]);
  assert.deepEqual([plan.code, plan.out], [0, "query  error\n"]);
  await search(["error", "--explain", "analyze", "-o", "json"]);
  assert.deepEqual(texts, ["text/plain", "application/json"]);
  assert.deepEqual(
    service.seen.map(({ url: { pathname, searchParams } }) => [
      pathname,
      searchParams.get("analyze"),
      searchParams.get("limit"),
    ]),
    [
      ["/api/v1/query/explain", null, "5"],
      ["/api/v1/query/explain", "1", null],
    ],
  );
});
