import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import test from "node:test";
import type { ServiceError } from "../../kit/src/errors.ts";
import { readBody } from "../src/http/body.ts";
import { BodyMemory } from "../src/http/body-memory.ts";
import { ByteBudget } from "../src/http/budget.ts";

interface Seen {
  readonly outcome: string;
  readonly usedBytes: number;
}

/** A server whose answer is what became of the body, and the room that was then taken. */
async function serve(budget: ByteBudget, bodyMaxBytes: number) {
  const seen: Seen[] = [];
  const server = http.createServer(async (request, response) => {
    try {
      const body = await readBody(request, { budget, memory: new BodyMemory() }, { bodyMaxBytes });
      seen.push({ outcome: `${body.bytes.length}`, usedBytes: budget.usedBytes });
      body.release();
    } catch (thrown) {
      seen.push({ outcome: (thrown as ServiceError).code, usedBytes: budget.usedBytes });
    }
    response.setHeader("connection", "close");
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, seen, port: (server.address() as net.AddressInfo).port };
}

/** What is free for one more small body, and for none. */
const free = 300_000;
const full = 1_000;

const cases = [
  {
    name: "a body within the bounds is read whole",
    head: "Content-Length: 5\r\n\r\nhello",
    room: free,
    outcome: "5",
  },
  {
    name: "an announced length beyond the bound is refused before it is read",
    head: "Content-Length: 5000\r\n\r\n",
    room: free,
    outcome: "request.too-large",
  },
  {
    name: "a body that finds no room is told to come back",
    head: "Content-Length: 900\r\n\r\n",
    room: full,
    outcome: "ingest.busy",
  },
  {
    name: "a chunked body is read whole",
    head: "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    room: free,
    outcome: "3",
  },
  {
    name: "a chunked body takes room before it is read",
    head: "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    room: full,
    outcome: "ingest.busy",
  },
  {
    name: "a chunked body beyond the bound is refused",
    head: `Transfer-Encoding: chunked\r\n\r\n7d0\r\n${"x".repeat(2000)}\r\n`,
    room: free,
    outcome: "request.too-large",
  },
];

for (const { name, head, room, outcome } of cases) {
  test(name, async (t) => {
    const budget = new ByteBudget(room);
    const { server, seen, port } = await serve(budget, 1000);
    t.after(() => server.close());
    const socket = net.connect(port, "127.0.0.1");
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${head}`);
    socket.resume();
    await once(socket, "close");
    assert.equal(seen[0]?.outcome, outcome);
    assert.equal(budget.usedBytes, 0);
  });
}

test("a body that breaks off gives its room back", async (t) => {
  const budget = new ByteBudget(free);
  const { server, seen, port } = await serve(budget, 1000);
  t.after(() => server.close());
  const socket = net.connect(port, "127.0.0.1");
  socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(seen[0]?.outcome, "request.malformed");
  assert.equal(budget.usedBytes, 0);
});
