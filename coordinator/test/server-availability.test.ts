// Goal: what members say of their ensemble's availability is what happened to it. Method: a leader is stopped
// and started under the eyes of the others.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import test from "node:test";

import { availabilityPath } from "../src/server/availability-file.ts";
import { WatchedRequest } from "../src/wire/records.ts";
import { TestEnsemble, until } from "./ensemble-harness.ts";
import { temporaryDirectory } from "./log-harness.ts";
import { RawClient, serve } from "./server-harness.ts";

test("who is alone is led as long as it runs, and knows how long it did not", async (context) => {
  const dataDir = temporaryDirectory(context);
  const first = await serve(context, { dataDir });
  const { availability } = first.stats();
  assert.deepEqual(availability.steadyState, { led: 1, electing: 0, recovering: 0 });
  assert.deepEqual([availability.state, availability.availability], ["led", 1]);
  assert.equal(availability.recoverMsMean, undefined);
  await first.close();
  const path = availabilityPath(dataDir);
  assert(existsSync(path));
  // It was down for an hour.
  const hourMs = 3_600_000;
  const text = readFileSync(path, "utf8");
  writeFileSync(
    path,
    text.replace(/"savedMs":(\d+)/, (_, ms) => `"savedMs":${Number(ms) - hourMs}`),
  );
  const second = await serve(context, { dataDir });
  const after = second.stats().availability;
  assert.equal(after.runs, 2);
  assert(after.unobservedMs >= hourMs && after.unobservedMs < hourMs + 60_000);
  assert(after.observedMs.led >= availability.observedMs.led && after.observedMs.led < hourMs);
});

test("a record that cannot be read is begun anew", async (context) => {
  const dataDir = temporaryDirectory(context);
  await (await serve(context, { dataDir })).close();
  writeFileSync(availabilityPath(dataDir), '{"format":1,"history":');
  const again = await serve(context, { dataDir });
  assert.equal(again.stats().availability.runs, 1);
});

test("when a leader goes, the others look, recover and are led again, each seen once", async (context) => {
  const ensemble = new TestEnsemble(context, [1, 2, 3]);
  await ensemble.startAll();
  const leader = await ensemble.serving();
  const counted = (id: number, from: string, to: string): number =>
    ensemble
      .get(id)
      .stats()
      .availability.rates.find((rate) => rate.from === from && rate.to === to)!.count;
  for (const id of [1, 2, 3]) {
    assert(counted(id, "recovering", "led") >= 1, String(id));
    assert.equal(counted(id, "led", "electing") + counted(id, "led", "recovering"), 0);
  }
  await ensemble.stop(leader);
  await ensemble.serving();
  for (const id of [1, 2, 3].filter((each) => each !== leader)) {
    const { availability } = ensemble.get(id).stats();
    assert.equal(counted(id, "led", "electing"), 1);
    assert.equal(availability.state, "led");
    const share = availability.availability!;
    assert(share > 0 && share < 1, String(share));
    assert(availability.availabilityLow! < share);
    assert(availability.recoverMsMean! > 0);
  }
  // To leave is no failure that the leaver saw.
  await ensemble.start(leader);
  await ensemble.serving();
  assert.equal(ensemble.get(leader).stats().availability.runs, 2);
  assert.equal(counted(leader, "led", "electing"), 0);
});

test("txns and notifications are counted where they happen, members where they are known", async (context) => {
  const ensemble = new TestEnsemble(context, [1, 2, 3]);
  await ensemble.startAll();
  const leader = await ensemble.serving();
  const follower = [1, 2, 3].find((id) => id !== leader)!;
  const watcher = await ensemble.client(context, follower);
  const writer = await ensemble.client(context, leader);
  await watcher.ask("exists", WatchedRequest, { path: "/seen", watch: true });
  await writer.create("/seen");
  await watcher.answer();
  await until("both have applied it", () =>
    [leader, follower].every((id) => ensemble.get(id).stats().propagation.sinceStart.txns === 3),
  );
  await until("all are synchronised", () => {
    return ensemble.get(leader).stats().propagation.sinceStart.synchronised === 3;
  });
  const led = ensemble.get(leader).stats().propagation.sinceStart;
  assert.deepEqual(
    [led.txnsPerMember, led.notifications, led.txnsPerNotification],
    [1, 0, undefined],
  );
  const followed = ensemble.get(follower).stats().propagation.sinceStart;
  assert.deepEqual(
    [followed.synchronised, followed.notifications, followed.txnsPerNotification],
    [2, 1, 3],
  );
});

test("the admin server answers it in ZooKeeper's spelling", async (context) => {
  const coordinator = await serve(context, { admin: { host: "127.0.0.1", port: 0 } });
  const { client } = await RawClient.open(context, coordinator.address.port);
  await client.create("/a");
  const { host, port } = coordinator.adminAddress!;
  const answer = await fetch(`http://${host}:${port}/commands/availability`);
  const fields = (await answer.json()) as {
    readonly command: string;
    readonly steady_state: object;
    readonly rates: readonly object[];
    readonly propagation: { readonly since_start: { readonly txns: number } };
  };
  assert.deepEqual(fields.steady_state, { led: 1, electing: 0, recovering: 0 });
  assert.equal(fields.propagation.since_start.txns, 2);
  assert.equal(fields.rates.length, 6);
  assert.equal(fields.command, "availability");
});
