import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ServiceError } from "../../kit/src/errors.ts";
import { closingOnAbort } from "../src/cluster.ts";
import { inTime } from "../src/in-time.ts";
import { paths } from "../src/paths.ts";
import { settle } from "../src/settle.ts";
import { Given, until } from "./given.ts";

let given: Given;

before(async () => {
  given = await Given.open();
});

after(() => given.close());

test("what a person asked for while the coordinator was away fails in time, and is not done when it is back", async () => {
  const proxy = await given.proxy();
  const connect = proxy.address + given.server.chroot;
  const cluster = await given.cluster({ connect, sessionTimeoutMs: 60_000 });
  const { client } = cluster;
  proxy.cut("down");
  await until(() => !client.isConnected);
  const path = `${paths.root}/asked`;
  const asked = inTime(client, (signal) => client.create(path, null, { signal }), 300);
  await assert.rejects(asked, { code: "coordinator.unavailable", message: /nothing was changed/ });
  proxy.up();
  await client.connected();
  assert.equal(await client.exists(path), null);
});

test("what was sent and not answered in time may have been done, and the error says so", async () => {
  const { client } = await given.cluster();
  const never = inTime(client, () => new Promise<void>(() => undefined), 100);
  await assert.rejects(never, { code: "coordinator.unavailable", message: /is not known/ });
});

test("what waits for a coordinator that says nothing ends when its start is given up", async () => {
  const proxy = await given.proxy();
  const connect = proxy.address + given.server.chroot;
  const { client } = await given.cluster({ connect, sessionTimeoutMs: 60_000 });
  const stop = new AbortController();
  closingOnAbort(client, stop.signal);
  proxy.hold();
  const waits = settle(() => client.exists(paths.root));
  stop.abort();
  await assert.rejects(waits, { code: "coordinator.unavailable" });
});

test("what the deed itself throws is thrown on", async () => {
  const { client } = await given.cluster();
  const error = new ServiceError("cluster.refused", "no");
  await assert.rejects(
    inTime(client, () => Promise.reject(error)),
    error,
  );
});
