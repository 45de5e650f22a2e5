import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../kit/src/prng.ts";
import { SseParser } from "../src/sse.ts";
import { FakeService, problem } from "./fake-service.ts";
import { run } from "./run.ts";

const stream = [
  "\ufeff: hello\n\n",
  "retry: 1500\n\n",
  'id: 1\nevent: record\ndata: {"a":\ndata: 1}\n\n',
  "data:x\r\n\r\n",
  "id: 3\r\revent: dropped\rdata: {}\r\r",
  "id: a\u0000b\nfoo: bar\ndata\n\n",
  "id: 5\ndata: not whole\n",
].join("");

function eventsOf(pieces: readonly string[]): unknown[] {
  const parser = new SseParser();
  const events: unknown[] = [];
  for (const piece of pieces) {
    for (const { event, data } of parser.feed(piece)) events.push([event, data, parser.lastId]);
  }
  return [...events, parser.lastId, parser.retryMs];
}

test("events are read as the standard says, and a last one that is not whole is none", () => {
  assert.deepEqual(eventsOf([stream]), [
    ["record", '{"a":\n1}', "1"],
    ["message", "x", "1"],
    ["dropped", "{}", "3"],
    ["message", "", "3"],
    "3",
    1500,
  ]);
});

test("events are the same in whatever pieces the text comes", () => {
  const whole = eventsOf([stream]);
  const prng = new Prng(2);
  for (let round = 0; round < 500; round++) {
    const pieces: string[] = [];
    for (let at = 0; at < stream.length; ) {
      const length = prng.below(6);
      pieces.push(stream.slice(at, at + length));
      at += length;
    }
    assert.deepEqual(eventsOf(pieces), whole);
  }
});

test("a tail reconnects after the last whole event and prints each record once", async () => {
  const service = new FakeService();
  const url = await service.start();
  const stop = new AbortController();
  try {
    let connections = 0;
    service.intercept = async (request, response) => {
      connections++;
      const after = Number(request.headers["last-event-id"] ?? 0);
      if (connections === 2) {
        problem(response, 503, "service.stopping", "stopping", {}, { "retry-after": "0" });
        return true;
      }
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`event: start\nid: ${after}\ndata: {}\n\n`);
      send(response, after + 1);
      send(response, after + 2);
      if (connections === 1) {
        response.write(`id: ${after + 3}\nevent: record\ndata: {"_msg":"broken o`);
        await sleep(20);
        request.socket.destroy();
      } else if (connections === 3) {
        response.end('event: error\ndata: {"code":"service.stopping","detail":"it stops"}\n\n');
      } else {
        response.write('event: dropped\ndata: {"dropped":12}\n\n');
      }
      return true;
    };
    const ran = await run(["tail", "--url", url, "level:error"], {
      signal: stop.signal,
      onErr: (text) => {
        if (text.includes("dropped")) stop.abort();
      },
    });
    assert.equal(ran.code, 0);
    assert.equal(ran.out, [1, 2, 3, 4, 5, 6].map((n) => `{"_msg":"m${n}"}\n`).join(""));
    assert.match(
      ran.err,
      /^tail: .*; reconnecting\ntail: it stops; reconnecting\ntail: too slow, 12 records dropped\n$/,
    );
    const asked = service.seen.map(({ url: { searchParams }, headers }) => [
      searchParams.get("query"),
      headers["last-event-id"],
    ]);
    assert.deepEqual(asked, [
      ["level:error", undefined],
      ["level:error", "2"],
      ["level:error", "2"],
      ["level:error", "4"],
    ]);
  } finally {
    stop.abort();
    await service.stop();
  }
});

test("a tail ends where trying again cannot help", async () => {
  const service = new FakeService();
  const url = await service.start();
  try {
    service.intercept = (_, response) => {
      problem(response, 400, "query.syntax", "expected a value", { line: 1, column: 2 });
      return true;
    };
    const syntax = await run(["tail", "--url", url, "a:"]);
    assert.deepEqual([syntax.code, syntax.err], [1, "logkeep: expected a value\n  a:\n   ^\n"]);
    service.intercept = (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(
        'event: error\ndata: {"code":"auth.invalid","detail":"the key was revoked"}\n\n',
      );
      return true;
    };
    const revoked = await run(["tail", "--url", url]);
    assert.deepEqual([revoked.code, revoked.err], [1, "logkeep: the key was revoked\n"]);
    const away = await run(["tail", "--url", "http://127.0.0.1:1"]);
    assert.equal(away.code, 1);
    assert.match(away.err, /cannot reach/);
  } finally {
    await service.stop();
  }
});

function send(response: ServerResponse, n: number): void {
  response.write(`id: ${n}\nevent: record\ndata: {"_msg":"m${n}"}\n\n`);
}
