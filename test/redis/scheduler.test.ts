// Goal: whatever happens to Redis or to a process that shares it, alerts go on by themselves.
// Method: a real server is ended, emptied, stopped and started under real schedulers; processes are killed.
import assert from "node:assert/strict";
import { type ChildProcess, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import tls from "node:tls";
import {
  openRedisScheduler,
  type RedisSchedulerOptions,
} from "../../adapters/src/redis/scheduler.ts";
import type { SchedulerHandlers } from "../../alerts/src/scheduler.ts";
import { type Logger, silentLogger } from "../../kit/src/logger.ts";
import { spawnServer } from "../servers/child.ts";
import { missingRedis, RedisServer, type RedisServerOptions } from "../servers/redis.ts";
import { temporaryFolder } from "../service.ts";

const skip = missingRedis();
const patienceMs = 120_000;
const schedules = [{ rule: "a", everyMs: 500 }];

async function startServer(t: TestContext, options?: RedisServerOptions): Promise<RedisServer> {
  const server = await RedisServer.start(options);
  t.after(async () => {
    server.resume();
    await server.kill();
  });
  return server;
}

/** A scheduler that counts; `held` deliveries come again and again until they are let go. */
async function open(
  t: TestContext,
  options: Partial<RedisSchedulerOptions> & { readonly url: string },
  handlers: Partial<SchedulerHandlers> = {},
) {
  const seen = { ticks: 0, deliveries: [] as string[], held: new Set<string>() };
  const scheduler = await openRedisScheduler(
    { clusterId: randomUUID(), logger: silentLogger, surveyMs: 500, ...options },
    {
      onTick() {
        seen.ticks++;
        return Promise.resolve();
      },
      onDelivery(id) {
        if (seen.held.has(id)) return Promise.resolve(200);
        seen.deliveries.push(id);
        return Promise.resolve(undefined);
      },
      ...handlers,
    },
  );
  t.after(() => scheduler.close());
  return { scheduler, seen };
}

async function until(claim: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!(await claim())) {
    assert(Date.now() < deadline, `in vain: ${what}`);
    await sleep(20);
  }
}

/** A logger that keeps what it is told at `info` and above. */
function keptLog(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (fields: object, event: string): void => {
    lines.push(`${event} ${JSON.stringify(fields)}`);
  };
  return { logger: { debug: () => undefined, info: keep, warn: keep, error: keep }, lines };
}

test("a Redis that is not there at open is waited for, and the log says so once", {
  skip,
}, async (t) => {
  const server = await startServer(t);
  await server.kill();
  const { logger, lines } = keptLog();
  const { scheduler, seen } = await open(t, { url: server.url, logger });
  await scheduler.deliver("one");
  await scheduler.schedule(schedules);
  // What fails for that reason may be told beside it.
  const told = () => lines.filter((line) => line.startsWith("redis is "));
  await until(() => told().length > 0, "the outage is told");
  await sleep(1000);
  assert.deepEqual([seen.ticks, seen.deliveries], [0, []]);
  assert.equal(told().length, 1);
  await server.restart();
  await until(() => seen.ticks >= 2 && seen.deliveries.length === 1, "all begins");
  await until(() => told().length > 1, "its end is told");
  assert.match(told()[0] as string, /^redis is away.*ECONNREFUSED/);
  assert.match(told()[1] as string, /^redis is back/);
});

for (const isDurable of [false, true]) {
  const memory = isDurable ? "with" : "without";
  test(`after a crash of Redis, ${memory} its memory, ticks and open deliveries go on`, {
    skip,
  }, async (t) => {
    const server = await startServer(t, { isDurable });
    const { scheduler, seen } = await open(t, { url: server.url });
    seen.held.add("open");
    await scheduler.deliver("open");
    await scheduler.deliver("done");
    await scheduler.schedule(schedules);
    await until(() => seen.ticks >= 2 && seen.deliveries.includes("done"), "it works");
    await server.kill();
    await scheduler.deliver("meanwhile");
    await scheduler.schedule([...schedules, { rule: "b", everyMs: 700 }]);
    await sleep(500);
    await server.restart();
    const ticks = seen.ticks;
    seen.held.clear();
    await until(() => seen.ticks >= ticks + 4, "ticks go on");
    await until(() => seen.deliveries.length >= 3, "deliveries go on");
    await sleep(1500);
    // What was done, and not yet told to Redis when it died, comes again.
    assert.deepEqual([...new Set(seen.deliveries)].sort(), ["done", "meanwhile", "open"]);
    assert(seen.deliveries.length <= 4, String(seen.deliveries));
  });
}

test("a Redis that was emptied is told all again", { skip }, async (t) => {
  const server = await startServer(t);
  const { scheduler, seen } = await open(t, { url: server.url });
  seen.held.add("open");
  await scheduler.deliver("open");
  await scheduler.schedule(schedules);
  await until(() => seen.ticks >= 2, "it works");
  for (let i = 0; i < 3; i++) {
    await server.ask((redis) => redis.flushall());
    const ticks = seen.ticks;
    await until(() => seen.ticks >= ticks + 3, "ticks go on");
  }
  seen.held.clear();
  await until(() => seen.deliveries.length >= 1, "the delivery goes on");
  await sleep(1500);
  assert.deepEqual(seen.deliveries, ["open"]);
});

test("a Redis that hangs neither blocks nor outlasts a close", { skip }, async (t) => {
  const server = await startServer(t);
  const { scheduler, seen } = await open(t, { url: server.url });
  await scheduler.schedule(schedules);
  await until(() => seen.ticks >= 1, "it works");
  server.pause();
  await scheduler.deliver("one");
  let started = performance.now();
  await scheduler.schedule([]);
  assert(performance.now() - started < 100_000, "schedule waited for Redis");
  started = performance.now();
  await scheduler.close();
  const tookMs = performance.now() - started;
  assert(tookMs < 100_000, `it took ${tookMs} ms`);
});

test("a Redis that hangs for a while is gone on with", { skip }, async (t) => {
  const server = await startServer(t);
  const { scheduler, seen } = await open(t, { url: server.url });
  await scheduler.schedule(schedules);
  await until(() => seen.ticks >= 1, "it works");
  server.pause();
  await scheduler.deliver("one");
  await sleep(6000);
  server.resume();
  const ticks = seen.ticks;
  await until(() => seen.ticks >= ticks + 3 && seen.deliveries.length === 1, "all goes on");
});

test("a close while Redis is away ends at once", { skip }, async (t) => {
  const server = await startServer(t);
  const { scheduler, seen } = await open(t, { url: server.url });
  await scheduler.schedule(schedules);
  await until(() => seen.ticks >= 1, "it works");
  await server.kill();
  await sleep(300);
  const started = performance.now();
  await scheduler.close();
  assert(performance.now() - started < 100_000);
});

test("what has ended leaves nothing behind in Redis", { skip }, async (t) => {
  const server = await startServer(t);
  const { scheduler, seen } = await open(
    t,
    { url: server.url },
    {
      onTick: () => Promise.reject(new Error("it always fails")),
    },
  );
  const rules = Array.from({ length: 20 }, (_, i) => ({ rule: `r${i}`, everyMs: 1000 }));
  await scheduler.schedule(rules);
  for (let i = 0; i < 500; i++) await scheduler.deliver(`d${i}`);
  await until(() => seen.deliveries.length >= 500, "all are delivered");
  await sleep(8000);
  // One may come again whose process stood still for some seconds; those that are told anew at each look would be thousands.
  assert(seen.deliveries.length < 2 * 500, `${seen.deliveries.length} came`);
  // A rule has its job scheduler, its state, its next job, and those of its last failures; how many are under way varies.
  const isBounded = async () => (await server.ask((redis) => redis.dbsize())) < 20 * 8 + 30;
  await until(isBounded, "keys of what has failed go");
  const left = async () =>
    (await server.ask((redis) => redis.keys("*:deliveries:delivery-*"))).length;
  await until(async () => (await left()) === 0, "keys of what was delivered go");
});

test("rules that are gone leave no jobs behind", { skip }, async (t) => {
  const server = await startServer(t);
  const { scheduler, seen } = await open(t, { url: server.url });
  const rules = Array.from({ length: 30 }, (_, i) => ({ rule: `r${i}`, everyMs: 1000 }));
  await scheduler.schedule(rules);
  await until(() => seen.ticks >= 60, "all tick");
  await scheduler.schedule([]);
  let keys: string[] = [];
  const deadline = Date.now() + patienceMs;
  do {
    await sleep(200);
    keys = await server.ask((redis) => redis.keys("*:ticks:repeat*"));
  } while (keys.length > 0 && Date.now() < deadline);
  assert.deepEqual(keys, []);
});

test("user, password and database are those of the URL, and a wrong password is told without it", {
  skip,
}, async (t) => {
  const args = [
    "--user",
    "logkeep",
    "on",
    ">pa:ss",
    "~logkeep:*",
    "+@all",
    "--user",
    "default",
    "off",
  ];
  const server = await startServer(t, { args });
  const at = `127.0.0.1:${server.port}/5`;
  const { logger, lines } = keptLog();
  const wrong = await open(t, { url: `redis://logkeep:secret-wrong@${at}`, logger });
  await wrong.scheduler.schedule(schedules);
  await until(() => /WRONGPASS/.test(lines.join()), "it is told");
  await wrong.scheduler.close();
  assert.doesNotMatch(lines.join("\n"), /secret-wrong/);
  const url = `redis://logkeep:pa%3Ass@${at}`;
  const { scheduler, seen } = await open(t, { url, clusterId: "c1" });
  await scheduler.deliver("one");
  await scheduler.schedule(schedules);
  await until(() => seen.ticks >= 2 && seen.deliveries.length === 1, "it works");
});

const noTls =
  skip || (spawnSync("openssl", ["version"]).status === 0 ? false : "there is no openssl");

test("a rediss URL is TLS, and a certificate that nobody vouches for is refused", {
  skip: noTls,
}, async (t) => {
  const folder = temporaryFolder();
  const [certificate, key] = ["cert.pem", "key.pem"].map((name) => path.join(folder, name));
  assert(certificate !== undefined && key !== undefined);
  const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const made = spawnSync("openssl", [...request, ...names, "-keyout", key, "-out", certificate]);
  assert.equal(made.status, 0, String(made.stderr));
  const server = await startServer(t, { tls: { certificate, key } });
  const url = `rediss://localhost:${server.port}`;
  const { logger, lines } = keptLog();
  const refusing = await open(t, { url, logger });
  await until(() => /self-signed/.test(lines.join()), "the refusal is told");
  await refusing.scheduler.close();
  // Ended at whatever moment of a handshake: an error that nobody heard would end this process.
  for (let i = 0; i < 30; i++) {
    const { logger: other, lines: told } = keptLog();
    const { scheduler } = await open(t, { url, logger: other });
    void scheduler.schedule(schedules);
    await until(() => told.length > 0, "the refusal is told");
    await sleep((i * 37) % 120);
    await scheduler.close();
  }
  const before = tls.getCACertificates("default");
  tls.setDefaultCACertificates([...before, readFileSync(certificate, "utf8")]);
  t.after(() => tls.setDefaultCACertificates(before));
  const { scheduler, seen } = await open(t, { url });
  await scheduler.deliver("one");
  await scheduler.schedule(schedules);
  await until(() => seen.ticks >= 2 && seen.deliveries.length === 1, "it works");
});

test("processes that share a Redis and are killed lose no delivery and no rule", {
  skip,
}, async (t) => {
  const server = await startServer(t);
  const clusterId = randomUUID();
  const rules = ["r1", "r2", "r3", "r4"];
  const ids = Array.from({ length: 60 }, (_, i) => `d${i}`);
  const lines: string[] = [];
  const spawnWorker = async (): Promise<ChildProcess> => {
    const script = path.join(import.meta.dirname, "worker.ts");
    const args = [script, server.url, clusterId, rules.join(), ids.join()];
    const child = spawnServer(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
    let isReady = false;
    let rest = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
      isReady ||= parts.includes("ready");
    });
    await until(() => isReady, "the process is ready");
    return child;
  };
  const kill = async (child: ChildProcess): Promise<void> => {
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  const first = await spawnWorker();
  const second = await spawnWorker();
  await kill(first);
  const third = await spawnWorker();
  await kill(second);
  const delivered = () => new Set(lines.filter((line) => line.startsWith("delivery ")));
  await until(() => delivered().size === ids.length, "all are delivered");
  const from = lines.length;
  const later = () => new Set(lines.slice(from).map((line) => line.split(" ")[1]));
  await until(() => rules.every((rule) => later().has(rule)), "all rules tick");
  await kill(third);
  // A call that was finished, but not yet told to Redis when its process was killed, is the only one that comes twice.
  const ticks = lines.filter((line) => line.startsWith("tick "));
  assert(ticks.length - new Set(ticks).size <= 2 * 4, "moments came twice");
});

test("moments are multiples of the interval, also where the first one passed before Redis was told of it", {
  skip,
}, async (t) => {
  const server = await startServer(t);
  const ticks = new Map<string, number[]>();
  const { scheduler } = await open(
    t,
    { url: server.url },
    {
      onTick({ rule, atMs }) {
        ticks.set(rule, [...(ticks.get(rule) ?? []), atMs]);
        return Promise.resolve();
      },
    },
  );
  // So many and so often that some of them are late.
  const many = Array.from({ length: 30 }, (_, i) => ({ rule: `r${i}`, everyMs: 5 + i }));
  await scheduler.schedule(many);
  await until(
    () => many.every(({ rule }) => (ticks.get(rule) ?? []).length >= 3),
    "all rules tick",
  );
  const odd = many.filter(({ rule, everyMs }) => ticks.get(rule)?.some((ms) => ms % everyMs !== 0));
  assert.deepEqual(odd, []);
});
