// Goal: whatever comes on the admin port, the admin server answers who asks properly, clients are served, and memory stays.
// Method: seeded requests, whole, changed and cut, some of them slow or never ended; between them somebody asks properly.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import test, { type TestContext } from "node:test";

import { Prng } from "../../kit/src/prng.ts";
import { adminConnectionsMax } from "../src/server/limits.ts";
import type { Coordinator } from "../src/server/start.ts";
import { delay, RawClient, serve } from "./server-harness.ts";

/** 10,000 and more in soak. */
const requestCount = Math.ceil(Number(process.env["LOGKEEP_FUZZ_FRAMES"] ?? 2_000) / 5);
const perRound = 25;
/** What a request of the longest head and a body hold at once, for all connections, and the collector's leeway. */
const bytesMax = 128 * 1024 * 1024;

const targets = [
  ...["/commands", "/commands/", "/commands/ruok", "/commands/mntr", "/commands/stmk?traceMask=1"],
  ...["/commands/snapshot", "/commands/restore", "/commands/nothing", "//", "*", "/%", "/\\u0000"],
  ...["http://[", "http://x:99999/commands/ruok", "/commands/../ruok", "?", "/commands/__proto__"],
];

const heads = [
  "Host: 127.0.0.1",
  "Host: example.org",
  "Host:",
  "Content-Length: 5",
  "Content-Length: -1",
  "Content-Length: 99999999999999999999",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: chunked, gzip",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Expect: 100-continue",
  "Authorization: digest super:wrong",
  "Authorization: ip",
  "Authorization: digest",
  "Range: bytes=0-1",
  "x\u0000y: z",
  ": none",
  "no colon",
];

function requestDraw(prng: Prng): Buffer {
  const method = prng.pick(["GET", "GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "ge t", ""]);
  const version = prng.pick(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", ""]);
  const lines = [`${method} ${prng.pick(targets)} ${version}`];
  for (let count = prng.below(6); count > 0; count--) lines.push(prng.pick(heads));
  // Longer than any head may be, or more lines than are taken.
  if (prng.chance(0.05)) lines.push(`X-Long: ${"x".repeat(10_000 * (1 + prng.below(10)))}`);
  if (prng.chance(0.02)) lines.push(...Array.from({ length: 5_000 }, (_, at) => `X-${at}: 1`));
  const body = prng.pick([
    "",
    "",
    "5\r\nhello\r\n0\r\n\r\n",
    "fffffffffff\r\n",
    "x".repeat(100_000),
  ]);
  const bytes = Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`, "latin1");
  for (let flips = prng.below(4); flips > 0; flips--) {
    bytes[prng.below(bytes.length)] = prng.below(256);
  }
  return prng.chance(0.2) ? bytes.subarray(0, prng.below(bytes.length)) : bytes;
}

async function dial(context: TestContext, { adminAddress }: Coordinator): Promise<Socket> {
  const socket = connect(adminAddress!);
  context.after(() => socket.destroy());
  socket.on("error", () => undefined);
  socket.resume();
  await Promise.race([once(socket, "connect"), once(socket, "close")]);
  return socket;
}

async function isWell(coordinator: Coordinator, client: RawClient): Promise<void> {
  const { host, port } = coordinator.adminAddress!;
  const response = await fetch(`http://${host}:${port}/commands/ruok`);
  assert.deepEqual(await response.json(), { error: null, command: "ruok" });
  assert(await client.exists("/zookeeper"));
}

function bytesHeld(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test(`${requestCount} hostile requests to the admin server hurt nobody`, async (context) => {
  const coordinator = await serve(context, {
    tickTimeMs: 1_000,
    admin: { host: "127.0.0.1", port: 0, rateMs: 0 },
  });
  const { client } = await RawClient.open(context, coordinator.address.port);
  const prng = new Prng(Number(process.env["SEED"] ?? 4242));
  await isWell(coordinator, client);
  const before = bytesHeld();
  for (let sent = 0; sent < requestCount; sent += perRound) {
    const sockets: Socket[] = [];
    for (let at = 0; at < perRound; at++) {
      const socket = await dial(context, coordinator);
      const bytes = requestDraw(prng);
      // Some say it twice in one breath, some in pieces.
      if (prng.chance(0.1)) socket.write(Buffer.concat([bytes, bytes]));
      else if (prng.chance(0.2)) {
        const half = prng.below(bytes.length + 1);
        socket.write(bytes.subarray(0, half));
        setTimeout(() => socket.write(bytes.subarray(half)), prng.below(10));
      } else socket.write(bytes);
      const end = prng.pick(["end", "cut", "none"]);
      if (end === "end") socket.end();
      else if (end === "cut") setTimeout(() => socket.destroy(), prng.below(20));
      sockets.push(socket);
    }
    await isWell(coordinator, client);
    for (const socket of sockets) socket.destroy();
  }
  const grown = bytesHeld() - before;
  assert(grown < bytesMax, `${grown} bytes more are held`);
});

test("many who never end their requests keep nobody out, and hold no more connections than there are", async (context) => {
  const admin = { host: "127.0.0.1", port: 0 };
  const coordinator = await serve(context, { admin, tickTimeMs: 1_000 });
  const { client } = await RawClient.open(context, coordinator.address.port);
  const sockets: Socket[] = [];
  for (let at = 0; at < 3 * adminConnectionsMax; at++) {
    const socket = await dial(context, coordinator);
    // Nothing; half a head, to which a letter comes now and then; or an answer that nobody takes.
    if (at % 3 === 1) socket.write("GET /commands/ruok HTTP/1.1\r\nX: ");
    else if (at % 3 === 2) {
      socket.pause();
      socket.write("GET /commands/mntr HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(20));
    }
    sockets.push(socket);
  }
  const timer = setInterval(() => {
    for (const socket of sockets) if (!socket.destroyed) socket.write("x");
  }, 5);
  context.after(() => clearInterval(timer));
  for (let asked = 0; asked < 10; asked++) {
    await isWell(coordinator, client);
    await delay(10);
  }
  const open = (): number =>
    sockets.filter((socket) => !socket.destroyed && !socket.readableEnded).length;
  const endMs = performance.now() + 30_000;
  while (open() > 2 * adminConnectionsMax && performance.now() < endMs) await delay(10);
  assert(open() <= 2 * adminConnectionsMax, `${open()} are open`);
});
