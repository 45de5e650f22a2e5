// Goal: a client that reads slowly, or goes, costs the service neither memory nor the time of others.
import assert from "node:assert/strict";
import net from "node:net";
import test, { after, before } from "node:test";
import { Service } from "../service.ts";

const records = 300_000;
const perRequest = 5_000;
const perRecordBytes = 1000;
// Half of what the whole answer takes.
const growthMaxMiB = 180;

let service: Service;

before(async () => {
  // So few at once that those that linger hold up the next.
  service = await Service.start({
    args: ["--set", "query.concurrencyMax=2", "--set", "query.timeoutMs=5m"],
  });
  for (let first = 0; first < records; first += perRequest) {
    const batch = Array.from({ length: perRequest }, (_, i) => ({
      service: `s${i % 50}`,
      n: String(first + i),
      _msg: `${"x".repeat(perRecordBytes)} ${first + i}`,
    }));
    await service.ship(batch);
  }
});
after(() => service.stop());

/** Asks for everything and reads the first bytes of it only. Undefined: the deadline came before them. */
async function tryToStall(timeout: string): Promise<net.Socket | undefined> {
  const url = new URL(service.http);
  const socket = net.connect(Number(url.port), url.hostname);
  socket.on("error", () => undefined);
  socket.write(
    `GET /api/v1/query?query=*&start=0&limit=0&timeout=${timeout} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
  );
  const head = await new Promise<string>((resolve) => {
    socket.once("data", (chunk: Buffer) => {
      socket.pause();
      resolve(chunk.toString("latin1"));
    });
    socket.once("close", () => resolve("nothing"));
  });
  if (!head.startsWith("HTTP/1.1 504 ")) {
    assert.match(head, /^HTTP\/1\.1 200 /);
    return socket;
  }
  socket.destroy();
  return undefined;
}

async function stalled(): Promise<net.Socket> {
  const socket = await tryToStall("5m");
  assert.ok(socket !== undefined);
  return socket;
}

/** With a deadline of some seconds: more of them where the machine is busy. */
async function stalledFor(seconds: number): Promise<net.Socket> {
  return (await tryToStall(`${seconds}s`)) ?? stalledFor(seconds * 2);
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${service.http}/metrics`)).text();
  const found = text.match(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, "gm")) ?? [];
  return found.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

test("a client that stalls in the middle of a large answer holds neither memory nor others", async (t) => {
  // Whoever reads all of it warms what stays.
  const whole = await fetch(`${service.http}/api/v1/query?query=*&start=0&limit=0&timeout=5m`);
  let wholeBytes = 0;
  for await (const chunk of whole.body ?? []) wholeBytes += chunk.length;
  assert.ok(wholeBytes > records * perRecordBytes, `${wholeBytes} bytes`);
  const before = service.rssMiB();
  const socket = await stalled();
  await wait(2000);
  const growth = service.rssMiB() - before;
  t.diagnostic(`memory grew by ${growth.toFixed(0)} MiB`);
  assert.ok(growth < growthMaxMiB, `${before} to ${before + growth} MiB`);
  const started = performance.now();
  assert.equal(await service.count("n:*"), records);
  assert.equal((await service.ship([{ service: "beside", _msg: "it" }])).accepted, 1);
  // Else it would wait for five minutes.
  assert.ok(performance.now() - started < 120_000);
  // It reads on, and gets the rest.
  let last = "";
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    last = chunk.toString("latin1");
  });
  socket.resume();
  await new Promise((resolve) => socket.once("close", resolve));
  assert.ok(bytes > records * perRecordBytes, `${bytes} bytes`);
  assert.ok(last.endsWith("0\r\n\r\n"), "the last chunk has come");
});

test("queries of clients that went away end, and make room for others", async () => {
  const ended = await metric("logkeep_queries_total");
  for (let i = 0; i < 10; i++) {
    const socket = await stalled();
    socket.destroy();
  }
  assert.equal(await service.count("n:*"), records);
  const end = performance.now() + 120_000;
  while ((await metric("logkeep_queries_total")) < ended + 11) {
    assert.ok(performance.now() < end, "all have ended");
    await wait(50);
  }
});

test("clients that stall for ever are as many as queries may run, until their deadline ends them", async () => {
  const sockets = [await stalledFor(4), await stalledFor(4)];
  const started = performance.now();
  assert.equal(await service.count("n:*"), records);
  const tookMs = performance.now() - started;
  assert.ok(tookMs < 120_000, `another query waited for ${tookMs} ms`);
  for (const socket of sockets) socket.destroy();
});
