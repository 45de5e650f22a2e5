// Goal: a scheduler whose Redis is not there, silent, or something else blocks nobody, tells it and ends.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../../kit/src/logger.ts";
import { openRedisScheduler } from "../src/redis/scheduler.ts";

/** A server on loopback that is no Redis; gives its port. */
async function pretend(t: TestContext, onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Opens a scheduler, uses it and closes it; gives what was logged at `warn`, and how long each step took. */
async function use(port: number, until = (_warned: readonly string[]) => true) {
  const warned: string[] = [];
  const ignore = (): void => undefined;
  const logger: Logger = {
    ...{ debug: ignore, info: ignore, error: ignore },
    warn: (fields, event) => warned.push(`${event} ${JSON.stringify(fields)}`),
  };
  const never = () => Promise.reject(new Error("nothing is to be called"));
  const url = `redis://user:pass-word@127.0.0.1:${port}`;
  const scheduler = await openRedisScheduler(
    { url, clusterId: "c", logger },
    { onTick: never, onDelivery: never },
  );
  const started = performance.now();
  await scheduler.deliver("one");
  await scheduler.schedule([{ rule: "a", everyMs: 1000 }]);
  const usedMs = performance.now() - started;
  // Time for more connections, which are to be told no more.
  await sleep(500);
  while (!until(warned) && performance.now() - started < boundMs) await sleep(20);
  const closing = performance.now();
  await scheduler.close();
  const closedMs = performance.now() - closing;
  await scheduler.schedule([]);
  await scheduler.deliver("late");
  assert.doesNotMatch(warned.join("\n"), /pass-word/);
  return { warned, usedMs, closedMs };
}

/** Ten times what is promised: this machine may be busy. */
const boundMs = 30_000;

test("a Redis that takes no connection is told once", async (t) => {
  const port = await pretend(t, (socket) => socket.destroy());
  const { warned, usedMs, closedMs } = await use(port, ({ length }) => length > 0);
  assert.equal(warned.length, 1);
  assert.match(warned[0] as string, /^redis is away; alerts wait for it/);
  assert(usedMs < boundMs && closedMs < boundMs, `${usedMs}, ${closedMs}`);
});

test("one that takes connections and says nothing holds up neither use nor end", async (t) => {
  const { usedMs, closedMs } = await use(await pretend(t, () => undefined));
  assert(usedMs < boundMs && closedMs < boundMs, `${usedMs}, ${closedMs}`);
});

test("one that speaks something else harms nothing", async (t) => {
  const port = await pretend(t, (socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const { usedMs, closedMs } = await use(port);
  assert(usedMs < boundMs && closedMs < boundMs, `${usedMs}, ${closedMs}`);
});
