// Goal: what the cluster promises holds while connections break at any moment: each seal is in the manifest
// once, each inbox record is stored once and in order.
// Method: the cluster talks through a proxy that a seed cuts or silences; the moments are the machine's, so a failure prints
// what differs, and LOGKEEP_SOAK_SEEDS raises the number of rounds.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import type { CuttableProxy } from "../../coordinator/test/client-server.ts";
import { Prng } from "../../kit/src/prng.ts";
import { paths } from "../src/paths.ts";
import { acquire, claimOf, Given, segment, until } from "./given.ts";
import { ModelSink } from "./model-sink.ts";

const rounds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 25);
let given: Given;
let proxy: CuttableProxy;

beforeEach(async () => {
  given = await Given.open();
  proxy = await given.proxy();
});

afterEach(() => given.close());

/** Breaks connections, half of them after a moment in which answers are swallowed, until told to stop. */
function vandal(seed: number): { stop(): Promise<void> } {
  const prng = new Prng(seed);
  let isOn = true;
  const ended = (async () => {
    while (isOn) {
      await sleep(20 + prng.below(80));
      if (prng.chance(0.5)) {
        proxy.hold();
        await sleep(prng.below(10));
      }
      proxy.cut("up");
      proxy.up();
    }
  })();
  return {
    stop: () => {
      isOn = false;
      return ended;
    },
  };
}

test("every seal is in the manifest once, however often its connection broke", async () => {
  const cluster = await given.cluster({ connect: proxy.address + given.server.chroot });
  const [epoch] = (await acquire(cluster, [0])) as [number];
  const breaking = vandal(1);
  const sealed: string[] = [];
  for (let position = 1; position <= rounds; position++) {
    const entry = segment(epoch, position, position);
    sealed.push(entry.uuid);
    const outcome = await cluster.manifest.commitSeal({
      shard: 0,
      epoch,
      sealedThrough: { epoch, position },
      checkpoint: `c-${position}`,
      segments: [entry],
    });
    assert.deepEqual(outcome, { kind: "committed", generation: position });
  }
  await breaking.stop();
  const { segments, generation } = await cluster.manifest.load(0);
  assert.deepEqual(
    segments.map(({ uuid }) => uuid),
    sealed,
  );
  assert.equal(generation, rounds);
});

test("every acquisition is settled, however often its connection broke", async () => {
  const cluster = await given.cluster({ connect: proxy.address + given.server.chroot });
  const breaking = vandal(2);
  let last = 0;
  // Each is tried once: an outcome that is unknown is settled by reading, and not repeated.
  while (last < rounds / 4) {
    const [seen] = await cluster.ownership.read([1]);
    assert.ok(seen !== undefined && seen.epoch >= last);
    const change = claimOf(cluster.ownership, seen);
    const outcome = await cluster.ownership.change(1, seen.version, change);
    const [settled] = await cluster.ownership.read([1]);
    const isDone = settled?.epoch === seen.epoch + 1;
    assert.ok(outcome.kind === "unknown" || isDone === (outcome.kind === "done"));
    if (isDone) last = seen.epoch + 1;
  }
  await breaking.stop();
  const [seen] = await cluster.ownership.read([1]);
  assert.equal(seen?.epoch, last);
  assert.equal(seen?.owner, cluster.ownership.self);
});

test("every inbox record is stored once and in order, however often the drainer's connection broke", async () => {
  const cluster = await given.cluster({ connect: proxy.address + given.server.chroot });
  const sink = new ModelSink();
  await cluster.drainInboxes(sink, ["default"]);
  const sender = given.direct();
  const breaking = vandal(3);
  const inbox = paths.tenantInbox("default");
  const prng = new Prng(4);
  const sent: string[] = [];
  for (let round = 0; round < rounds; round++) {
    if (prng.chance(0.1)) sink.failNext = prng.chance(0.5) ? "before" : "after";
    const batch = Array.from({ length: prng.below(40) }, (_, index) => `${round}-${index}`);
    sent.push(...batch);
    const mode = "persistentSequential";
    await Promise.all(
      batch.map((text) => sender.create(`${inbox}/rec-`, Buffer.from(text), { mode })),
    );
    await sleep(prng.below(10));
  }
  await breaking.stop();
  await until(async () => (await sender.getChildren(inbox)).children.length === 0);
  assert.deepEqual(sink.texts(), sent);
});
