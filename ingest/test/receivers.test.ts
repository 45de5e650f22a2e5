import assert from "node:assert/strict";
import type { IncomingHttpHeaders } from "node:http";
import { test } from "node:test";
import { type ErrorCode, ServiceError } from "../../kit/src/errors.ts";
import type { DecodeOptions, DecodeResult } from "../src/job.ts";
import { bulkReceiver } from "../src/receiver/elasticsearch.ts";
import {
  elasticInfoReceiver,
  elasticNodesReceiver,
  elasticSetupReceiver,
} from "../src/receiver/elasticsearch-handshake.ts";
import { LineGuard } from "../src/receiver/line-guard.ts";
import { lokiReadyReceiver, lokiReceiver } from "../src/receiver/loki.ts";
import { nativeReceiver } from "../src/receiver/native.ts";
import { otlpReceiver } from "../src/receiver/otlp.ts";
import type { Receiver, ReceiverRequest } from "../src/receiver/receiver.ts";

function request(
  path: string,
  headers: IncomingHttpHeaders = {},
  method = "POST",
): ReceiverRequest {
  const url = new URL(path, "http://localhost");
  return { method, path: url.pathname, query: url.searchParams, headers };
}

const ndjson = { "content-type": "application/x-ndjson" };
const json = { "content-type": "application/json" };
const protobuf = { "content-type": "application/x-protobuf" };

function optionsOf(receiver: Receiver, asked: ReceiverRequest): DecodeOptions {
  const prepared = receiver.prepare(asked);
  assert.equal(prepared.kind, "decode");
  return (prepared as { readonly options: DecodeOptions }).options;
}

function errorOf(action: () => unknown): ServiceError {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof ServiceError) return thrown;
    throw thrown;
  }
  throw new Error("nothing was thrown");
}

const result: DecodeResult = {
  status: "ok",
  parts: [],
  closedSlabs: [],
  accepted: 3,
  rejected: 0,
  errors: [],
  bodyBytes: 10,
};
const partly: DecodeResult = {
  ...result,
  rejected: 2,
  errors: [
    { line: 1, reason: "first" },
    { line: 4, reason: "second" },
  ],
};

test("parameters and headers of POST /api/v1/logs become options", () => {
  const asked = request(
    "/api/v1/logs?stream=service,%20host,,service&time=ts&msg=text,body&extra.env=prod&extra.a.b=",
    { "content-type": "Application/X-NDJSON; charset=UTF-8", "content-encoding": "GZIP" },
  );
  assert.deepEqual(optionsOf(nativeReceiver, asked), {
    protocol: "json-lines",
    encoding: "gzip",
    streamFields: ["service", "host"],
    timeFields: ["ts", "_time"],
    msgFields: ["text", "body", "_msg"],
    extra: [
      ["env", "prod"],
      ["a.b", ""],
    ],
    index: undefined,
  });
});

const media: readonly (readonly [type: string | undefined, protocol: string])[] = [
  ["application/x-ndjson", "json-lines"],
  ["application/json; charset=utf-8", "json"],
  ["text/plain", "text"],
  [undefined, "json-lines"],
];

for (const [type, protocol] of media) {
  test(`a body of type ${type} is read as ${protocol}`, () => {
    const headers = type === undefined ? {} : { "content-type": type };
    assert.equal(optionsOf(nativeReceiver, request("/api/v1/logs", headers)).protocol, protocol);
  });
}

const long = "x".repeat(300);
const refusals: readonly (readonly [
  path: string,
  headers: IncomingHttpHeaders,
  code: ErrorCode,
])[] = [
  ["", { "content-type": "application/x-www-form-urlencoded" }, "request.media-type"],
  ["", { "content-type": "__proto__" }, "request.media-type"],
  ["", { "content-type": "text/plain; charset=latin1" }, "request.media-type"],
  ["", { ...ndjson, "content-encoding": "br" }, "request.media-type"],
  ["", { ...ndjson, "content-encoding": "gzip, gzip" }, "request.media-type"],
  ["", { ...ndjson, "content-encoding": "constructor" }, "request.media-type"],
  ["?steam=a", ndjson, "request.malformed"],
  [`?stream=${long}`, ndjson, "request.malformed"],
  [`?stream=${Array.from({ length: 65 }, (_, i) => i).join(",")}`, ndjson, "request.malformed"],
  [`?extra.${long}=1`, ndjson, "request.malformed"],
  ["?extra._time=1", ndjson, "request.malformed"],
  ["?extra.=1", ndjson, "request.malformed"],
  [`?extra.a=${"x".repeat(5_000)}`, ndjson, "request.malformed"],
  [
    `?${Array.from({ length: 65 }, (_, i) => `extra.${i}=1`).join("&")}`,
    ndjson,
    "request.malformed",
  ],
  ["", { ...ndjson, "idempotency-key": "" }, "request.malformed"],
  ["", { ...ndjson, "idempotency-key": long }, "request.malformed"],
];

for (const [query, headers, code] of refusals) {
  test(`${query.slice(0, 40)} ${JSON.stringify(headers).slice(0, 80)} is ${code}`, () => {
    const asked = request(`/api/v1/logs${query}`, headers);
    const error = errorOf(() => nativeReceiver.prepare(asked));
    assert.equal(error.code, code);
    const answer = nativeReceiver.failure(asked, error);
    assert.equal(answer.status, error.status);
    assert.equal(answer.headers["Content-Type"], "application/problem+json");
    assert.equal((JSON.parse(String(answer.body)) as { code: string }).code, code);
  });
}

test("our own endpoint tells what was stored, and 400 where nothing could be", () => {
  const asked = request("/api/v1/logs", ndjson);
  assert.deepEqual(nativeReceiver.answer(asked, partly, 1), {
    status: 200,
    headers: { "Content-Type": "application/json" },
    body: '{"accepted":3,"rejected":2,"errors":[{"line":1,"reason":"first"},{"line":4,"reason":"second"}]}',
  });
  const nothing = nativeReceiver.answer(asked, { ...partly, accepted: 0 }, 1);
  assert.equal(nothing.status, 400);
  assert.match(String(nothing.body), /"code":"ingest.nothing-acceptable".*"rejected":2/);
  assert.equal(nativeReceiver.answer(asked, { ...result, accepted: 0 }, 1).status, 200);
});

test("a refused or crowded-out request is an error of its own", () => {
  const asked = request("/api/v1/logs", ndjson);
  const full = errorOf(() => nativeReceiver.answer(asked, { ...result, status: "arena-full" }, 1));
  assert.equal(full.code, "ingest.busy");
  assert.equal(nativeReceiver.failure(asked, full).headers["Retry-After"], "1");
  const error = { code: "request.malformed", message: "cut short", fields: { line: 2 } } as const;
  const refused = errorOf(() =>
    nativeReceiver.answer(asked, { ...result, status: "refused", error }, 1),
  );
  assert.deepEqual([refused.code, refused.fields], ["request.malformed", { line: 2 }]);
});

test("Loki answers 204, or 400 in words with what was rejected", () => {
  const asked = request("/loki/api/v1/push", json);
  assert.deepEqual(lokiReceiver.answer(asked, result, 1), { status: 204, headers: {}, body: "" });
  const answer = lokiReceiver.answer(asked, partly, 1);
  assert.equal(answer.status, 400);
  assert.equal(
    answer.body,
    "2 of 5 entries were rejected, the others are stored\nentry 1: first\nentry 4: second\n",
  );
  assert.equal(
    errorOf(() => lokiReceiver.prepare(request("/x", protobuf))).code,
    "request.media-type",
  );
});

const lokiStatuses: readonly (readonly [code: ErrorCode, status: number])[] = [
  ["request.too-large", 400],
  ["request.media-type", 400],
  ["request.malformed", 400],
  ["auth.missing", 401],
  ["ingest.busy", 429],
  ["ingest.unavailable", 503],
  ["internal", 500],
];

for (const [code, status] of lokiStatuses) {
  test(`Loki's shippers are told ${status} for ${code}`, () => {
    const answer = lokiReceiver.failure(request("/x"), new ServiceError(code, "why", { at: 5 }));
    assert.equal(answer.status, status);
    assert.equal(answer.body, "why (at 5)\n");
  });
}

test("shippers of Loki find it ready", () => {
  const prepared = lokiReadyReceiver.prepare(request("/ready", {}, "GET"));
  assert.ok(prepared.kind === "answer" && prepared.answer.status === 200);
});

test("OTLP answers in what it was asked in, partial success only where something was rejected", () => {
  const inJson = request("/v1/logs", json);
  const inProtobuf = request("/v1/logs", protobuf);
  assert.equal(otlpReceiver.answer(inJson, result, 1).body, "{}");
  assert.equal(otlpReceiver.answer(inProtobuf, result, 1).body.length, 0);
  assert.deepEqual(JSON.parse(String(otlpReceiver.answer(inJson, partly, 1).body)), {
    partialSuccess: { rejectedLogRecords: "2", errorMessage: "record 1: first" },
  });
  const { body, headers } = otlpReceiver.answer(inProtobuf, { ...partly, rejected: 300 }, 1);
  assert.equal(headers["Content-Type"], "application/x-protobuf");
  const message = Buffer.from("record 1: first");
  assert.deepEqual(
    Buffer.from(body),
    Buffer.concat([Buffer.from([0x0a, 5 + message.length, 0x08, 0xac, 0x02, 0x12, 15]), message]),
  );
});

test("an error of OTLP is a google.rpc.Status, and a failure of ours one that is sent again", () => {
  const failed = otlpReceiver.failure(
    request("/v1/logs", json),
    new ServiceError("internal", "why"),
  );
  assert.equal(failed.status, 503);
  assert.equal(failed.headers["Retry-After"], "1");
  assert.deepEqual(JSON.parse(String(failed.body)), { code: 14, message: "why" });
  const busy = otlpReceiver.failure(
    request("/v1/logs", protobuf),
    new ServiceError("ingest.busy", "why"),
  );
  assert.equal(busy.status, 429);
  assert.deepEqual([...busy.body], [0x08, 8, 0x12, 3, ...Buffer.from("why")]);
});

test("the answer of _bulk is compact, in order, and names the product", () => {
  const asked = request("/_bulk", ndjson);
  const answer = bulkReceiver.answer(
    asked,
    { ...result, items: new Uint8Array(Buffer.from('{"x":1}')), itemErrors: false },
    4.6,
  );
  assert.equal(String(answer.body), '{"took":5,"errors":false,"items":[{"x":1}]}');
  assert.equal(answer.headers["X-Elastic-Product"], "Elasticsearch");
  const error = bulkReceiver.failure(asked, new ServiceError("ingest.busy", "why"));
  assert.equal(error.status, 429);
  assert.equal(error.headers["X-Elastic-Product"], "Elasticsearch");
  assert.deepEqual(JSON.parse(String(error.body)), {
    error: {
      root_cause: [{ type: "es_rejected_execution_exception", reason: "why" }],
      type: "es_rejected_execution_exception",
      reason: "why",
    },
    status: 429,
  });
});

test("the index of a bulk request is that of its path, with and without the prefix", () => {
  const paths = ["/_bulk", "/logs%2Da/_bulk", "/elasticsearch/_bulk", "/elasticsearch/b/_bulk"];
  assert.deepEqual(
    paths.map((path) => optionsOf(bulkReceiver, request(path, ndjson)).index),
    [undefined, "logs-a", undefined, "b"],
  );
});

test("clients of a version get the media type of that version", () => {
  const accept = "application/vnd.elasticsearch+json; compatible-with=9";
  const asked = request("/_bulk", {
    "content-type": "application/vnd.elasticsearch+x-ndjson; compatible-with=9",
    accept,
  });
  assert.equal(optionsOf(bulkReceiver, asked).protocol, "elasticsearch-bulk");
  assert.equal(
    bulkReceiver.answer(asked, result, 1).headers["Content-Type"],
    "application/vnd.elasticsearch+json;compatible-with=9",
  );
});

test("GET / is the console's for a browser and the information document for anyone else", () => {
  const browser = request("/", { accept: "text/html,application/xhtml+xml" }, "GET");
  assert.equal(elasticInfoReceiver.prepare(browser).kind, "pass");
  for (const path of ["/", "/elasticsearch", "/elasticsearch/"]) {
    const prepared = elasticInfoReceiver.prepare(request(path, {}, "GET"));
    assert.ok(prepared.kind === "answer");
    const document = JSON.parse(String(prepared.answer.body)) as { version: { number: string } };
    assert.match(document.version.number, /^\d+\.\d+\.\d+$/);
  }
});

test("what shippers set up is taken, and who sniffs is sent to the address it came by", () => {
  const put = elasticSetupReceiver.prepare(request("/_ilm/policy/x", json, "PUT"));
  assert.ok(put.kind === "answer" && put.answer.body === '{"acknowledged":true}');
  const head = elasticSetupReceiver.prepare(request("/_index_template/x", {}, "HEAD"));
  assert.ok(head.kind === "answer" && head.answer.body === "" && head.answer.status === 200);
  const nodes = elasticNodesReceiver.prepare(request("/_nodes/http", { host: "h:1" }, "GET"));
  assert.ok(
    nodes.kind === "answer" && String(nodes.answer.body).includes('"publish_address":"h:1"'),
  );
});

test("a line is guarded over chunks of any size", () => {
  const guard = new LineGuard(10);
  for (const chunk of ["12345", "67890\n1234567890", "\n", "\n\n123", "4567890\nab\ncd"]) {
    guard.take(Buffer.from(chunk));
  }
  const tooLong: readonly (readonly string[])[] = [
    ["12345678901"],
    ["123456", "78901\n"],
    ["\n12345", "678901"],
    ["a\n12345678901\nb"],
    ["a\n12345678901"],
  ];
  for (const chunks of tooLong) {
    const fresh = new LineGuard(10);
    const error = errorOf(() => {
      for (const chunk of chunks) fresh.take(Buffer.from(chunk));
    });
    assert.equal(error.code, "ingest.record-too-long", JSON.stringify(chunks));
  }
});

test("lines are guarded where there are lines to be seen", () => {
  const guardOf = (asked: ReceiverRequest): unknown => {
    const prepared = nativeReceiver.prepare(asked);
    return prepared.kind === "decode" ? prepared.guard : undefined;
  };
  assert.ok(guardOf(request("/api/v1/logs", ndjson)));
  assert.equal(guardOf(request("/api/v1/logs", json)), undefined);
  assert.equal(
    guardOf(request("/api/v1/logs", { ...ndjson, "content-encoding": "zstd" })),
    undefined,
  );
});
