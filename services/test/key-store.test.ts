import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Given } from "../../cluster/test/given.ts";
import { aclDigest } from "../../coordinator/src/client/acl.ts";
import { systemClock } from "../../kit/src/clock.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import { KeyStore } from "../src/auth/key-store.ts";

let given: Given;

before(async () => {
  given = await Given.open();
});

after(() => given.close());

const acl = [aclDigest("logkeep", "secret")];

test("keys are read when the coordinator is back, where it has gone in the middle of a start", async () => {
  const proxy = await given.proxy();
  const connect = proxy.address + given.server.chroot;
  const { client, audit } = await given.cluster({ connect, sessionTimeoutMs: 60_000 });
  const options = { client, acl, audit, clock: systemClock, logger: silentLogger };
  proxy.hold();
  const opened = KeyStore.open(options);
  // What is on the wire then fails with CONNECTIONLOSS.
  proxy.cut("down");
  proxy.up();
  const store = await opened;
  assert.equal(store.size, 0);
  await store.create({ name: "first", scopes: ["read"], tenant: "default" });
  assert.equal(store.size, 1);
});

test("nodes that start together adopt one admin key", async () => {
  const token = `lk_${"0".repeat(15)}1_${"a".repeat(64)}`;
  const stores = await Promise.all(
    [1, 2, 3].map(async (nodeId) => {
      const identity = { nodeId, diskId: `disk-${nodeId}`, incarnation: `process-${nodeId}` };
      const { client, audit } = await given.cluster({ identity });
      return KeyStore.open({ client, acl, audit, clock: systemClock, logger: silentLogger });
    }),
  );
  await Promise.all(stores.map((store) => store.adopt(token, "default")));
  for (const store of stores) assert.equal(store.verify(token).name, "admin-file");
});
