// Goal: clients that connect too fast are refused, and requests wait, are refused or are dropped, as ZooKeeper's settings say.
// Method: the rules by themselves with a clock and lots in the test's hand; then servers on which both are set.
import assert from "node:assert/strict";
import test from "node:test";

import {
  ConnectionThrottle,
  type ConnectionThrottleSettings,
  connectionThrottleDefault,
} from "../src/server/connection-throttle.ts";
import { RequestThrottle, requestThrottleDefault } from "../src/server/request-throttle.ts";
import { opCodes } from "../src/wire/constants.ts";
import { CreateRequest } from "../src/wire/records.ts";
import { fourLetters, open, RawClient, serve } from "./server-harness.ts";

function throttle(settings: Partial<ConnectionThrottleSettings>, lot = 0.5): ConnectionThrottle {
  return new ConnectionThrottle({ ...connectionThrottleDefault, ...settings }, () => lot, 0);
}

test("without tokens everyone is let in", () => {
  const none = throttle({});
  for (let at = 0; at < 1_000; at++) assert(none.admit("global", 0));
  assert.deepEqual([none.admitted, none.refused, none.deficits.max], [1_000, 0, 0]);
});

test("a bucket lets in as many as it holds, and then as many as come in", () => {
  const bucket = throttle({ tokensMax: 3, fillMs: 10, fillCount: 2 });
  const admitted = (nowMs: number): number => {
    let count = 0;
    while (bucket.admit("renew", nowMs)) count++;
    return count;
  };
  assert.equal(admitted(0), 3);
  assert.equal(admitted(9), 0);
  assert.equal(admitted(15), 2);
  // The five milliseconds before count.
  assert.equal(admitted(20), 2);
  assert.equal(admitted(10_000), 3);
  assert.deepEqual([bucket.admitted, bucket.refused], [10, 5]);
  assert.deepEqual([bucket.deficits.min, bucket.deficits.max], [1, 3]);
});

test("with weights a session costs by its kind, and tokens are as many global ones", () => {
  const weights = { global: 3, local: 1, renew: 2 };
  const bucket = throttle({ tokensMax: 2, fillMs: 10, weights });
  const kinds = ["global", "renew", "local", "local"] as const;
  assert.deepEqual(
    kinds.map((kind) => bucket.admit(kind, 0)),
    [true, true, true, false],
  );
  assert.deepEqual([bucket.admit("global", 10), bucket.admit("local", 10)], [true, false]);
});

test("the odds of a refusal grow while no token is left, and fall when there are enough", () => {
  const lot = { value: 1 };
  const settings = {
    ...connectionThrottleDefault,
    tokensMax: 2,
    fillMs: 1_000,
    freezeMs: 10,
    dropIncrease: 0.6,
    dropDecrease: 0.5,
  };
  const blue = new ConnectionThrottle(settings, () => lot.value, 0);
  assert(blue.admit("global", 0) && blue.admit("global", 0));
  assert(!blue.admit("global", 11));
  assert.equal(blue.dropProbability, 0.6);
  assert(!blue.admit("global", 12));
  assert.equal(blue.dropProbability, 0.6, "it stays for the time of a freeze");
  assert(!blue.admit("global", 25));
  assert.equal(blue.dropProbability, 1);
  // Both tokens are there again: the odds fall, and the lot decides.
  lot.value = 0.7;
  assert(blue.admit("global", 2_000));
  assert.equal(blue.dropProbability, 0.5);
  lot.value = 0.4;
  assert(!blue.admit("global", 2_001));
});

function frameOf(type: number): Buffer {
  const frame = Buffer.alloc(8);
  frame.writeInt32BE(type, 4);
  return frame;
}

const sessionTimeoutMs = 1_000;

test("what waited too long is refused, but for what keeps or ends a session", () => {
  const rule = new RequestThrottle({ ...requestThrottleDefault, opWaitMs: 50 });
  const judged = (type: number, waitedMs: number) =>
    rule.judge({ frame: frameOf(type), waitedMs, sessionTimeoutMs }, 0);
  assert.equal(judged(opCodes.getData, 50), "serve");
  assert.equal(judged(opCodes.getData, 51), "refuse");
  for (const op of ["ping", "closeSession", "auth", "sasl"] as const) {
    assert.equal(judged(opCodes[op], 5_000), "serve", op);
  }
  assert.equal(rule.judge({ frame: Buffer.alloc(3), waitedMs: 99, sessionTimeoutMs }, 0), "serve");
  assert.deepEqual([rule.throttled, rule.queueTime.count, rule.queueTime.max], [1, 7, 5_000]);
});

test("what waited longer than its session's timeout is stale, and is dropped where that is wanted", () => {
  const held = (waitedMs: number, type: number = opCodes.setData) => ({
    frame: frameOf(type),
    waitedMs,
    sessionTimeoutMs,
  });
  const limited = { ...requestThrottleDefault, requestsMax: 1 };
  const drops = new RequestThrottle({ ...limited, isStaleByLatency: true });
  assert.equal(drops.judge(held(1_000), 0), "serve");
  assert.equal(drops.judge(held(1_001), 0), "drop");
  assert.equal(drops.judge(held(1_001, opCodes.closeSession), 0), "serve");
  drops.closed(2);
  assert.deepEqual([drops.staleDropped, drops.stale], [3, 0]);
  const keeps = new RequestThrottle({ ...limited, isStaleByLatency: true, dropsStale: false });
  assert.equal(keeps.judge(held(1_001), 0), "serve");
  assert.deepEqual([keeps.staleDropped, keeps.stale], [0, 1]);
  assert.equal(new RequestThrottle(limited).judge(held(9_999), 0), "serve");
});

async function monitored(port: number, name: string): Promise<number> {
  const line = new RegExp(`^zk_${name}\\t(\\S+)$`, "m").exec(await fourLetters(port, "mntr"));
  return Number(line?.[1]);
}

test("a server closes the connection of a client that comes too soon, and takes it later", async (context) => {
  const connectionThrottle = { ...connectionThrottleDefault, tokensMax: 2, fillMs: 400 };
  const { address } = await serve(context, { connectionThrottle });
  const first = await RawClient.open(context, address.port);
  assert.ok(first.session);
  let refused = 0;
  // As fast as it can, far more than tokens come.
  while ((await RawClient.open(context, address.port)).session !== undefined) {
    assert(++refused < 1_000, "nobody is refused");
  }
  assert((await monitored(address.port, "connection_rejected")) >= 1);
  while ((await RawClient.open(context, address.port)).session === undefined);
  assert((await monitored(address.port, "connection_request_count")) >= 3);
  assert.equal(await monitored(address.port, "connection_drop_probability"), 0);
  // Who is in is not asked again.
  assert.equal(await first.client.create("/in"), "/in");
});

async function creates(client: RawClient, names: readonly string[]): Promise<readonly string[]> {
  for (const path of names) {
    client.send("create", CreateRequest, { path, data: null, acl: open, flags: 0 });
  }
  const errors: string[] = [];
  for (const [at] of names.entries()) {
    const answer = await client.answer();
    assert.equal(answer?.xid, at + 1, "answers come in the order of requests");
    errors.push(answer.error);
  }
  return errors;
}

test("requests above the limit wait, each its turn, and all are answered", async (context) => {
  const requestThrottle = { ...requestThrottleDefault, requestsMax: 1, stallMs: 1 };
  const { address } = await serve(context, { requestThrottle });
  const parties = await Promise.all(
    [1, 2, 3].map(async () => (await RawClient.open(context, address.port)).client),
  );
  const names = Array.from({ length: 50 }, (_, at) => `n${at}`);
  const answered = await Promise.all(
    parties.map((client, at) =>
      creates(
        client,
        names.map((name) => `/${at}${name}`),
      ),
    ),
  );
  assert.deepEqual(new Set(answered.flat()), new Set(["OK"]));
  assert((await monitored(address.port, "request_throttle_wait_count")) > 0);
  assert((await monitored(address.port, "cnt_request_throttle_queue_time_ms")) > 0);
  assert.equal(await monitored(address.port, "throttled_ops"), 0);
});

test("a request that waited too long is answered THROTTLEDOP in its turn and does nothing", async (context) => {
  const requestThrottle = { ...requestThrottleDefault, requestsMax: 1, opWaitMs: 1 };
  const { address } = await serve(context, { requestThrottle });
  const { client } = await RawClient.open(context, address.port);
  // One sync of the disk after the other: the last of them wait for hundreds.
  const names = Array.from({ length: 500 }, (_, at) => `/n${at}`);
  const errors = await creates(client, names);
  assert.equal(errors[0], "OK");
  const refused = errors.filter((error) => error === "THROTTLEDOP").length;
  assert(refused > 0, "none waited for a millisecond");
  assert.equal(errors.filter((error) => error === "OK").length, errors.length - refused);
  assert.equal(await monitored(address.port, "throttled_ops"), refused);
  const { client: other } = await RawClient.open(context, address.port);
  for (const [at, name] of names.entries()) {
    assert.equal(await other.exists(name), errors[at] === "OK", name);
  }
});
