// Goal: what a shard knows of keys is bounded, and no key goes before its time for the sake of a new one.
// Method: a store with small bounds, and a clock that the test moves.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { ServiceError } from "../../../kit/src/errors.ts";
import { routerKey } from "../../src/shard/dedupe-key.ts";
import { dedupeWindowMs } from "../../src/shard/limits.ts";
import { closeAfter, temp } from "../log/temp.ts";
import { openRig, type Rig } from "./rig.ts";

const keysMax = 50;
const router = new Uint8Array(8).fill(3);
const keyOf = (n: number) => ({ dedupeKey: routerKey(router, n) });
const recordOf = (key: string) => {
  return { tenant: "default", key, digest: "aa", pipelineVersion: 0, splitVersion: 0 };
};

async function boundedRig(t: TestContext): Promise<{ rig: Rig; later: (ms: number) => void }> {
  let laterMs = 0;
  const clock = { now: () => Date.now() + laterMs, monotonicMs: () => performance.now() };
  const once = { keysMax, idempotencyKeysMax: keysMax };
  const rig = await openRig(temp(t), { clock, once, shardCount: 1 });
  closeAfter(t, () => rig.close());
  const later = (ms: number): void => {
    laterMs += ms;
  };
  return { rig, later };
}

const isTold = (thrown: unknown): boolean => {
  assert.ok(thrown instanceof ServiceError);
  assert.deepEqual([thrown.status, thrown.code], [503, "ingest.unavailable"]);
  assert.match(thrown.message, /as many keys as it can/);
  return true;
};

test("a shard that knows as many keys of parts as it can answers 503 to new ones, and goes on for all else", async (t) => {
  const { rig, later } = await boundedRig(t);
  for (let n = 0; n < keysMax; n++) await rig.append([`part ${n}`], keyOf(n));
  const { liveBytes } = rig.arena;
  await assert.rejects(rig.append(["too many"], keyOf(keysMax)), isTold);
  assert.equal(rig.arena.liveBytes, liveBytes, "what was refused keeps no memory");
  for (let n = 0; n < keysMax; n++) {
    assert.equal((await rig.append([`part ${n}`], keyOf(n))).kind, "repeat", `part ${n}`);
  }
  assert.equal((await rig.append(["without a key"])).kind, "committed");
  assert.equal(rig.read().length, keysMax + 1);
  later(dedupeWindowMs + 60_000);
  assert.equal((await rig.append(["now there is room"], keyOf(keysMax))).kind, "committed");
});

test("a shard that knows as many Idempotency-Keys as it can answers 503 to new ones, and knows the old ones", async (t) => {
  const { rig, later } = await boundedRig(t);
  const { store } = rig;
  for (let n = 0; n < keysMax; n++) {
    assert.equal((await store.commitIdempotency(recordOf(`k${n}`))).kind, "first");
  }
  await assert.rejects(store.commitIdempotency(recordOf("too many")), isTold);
  for (let n = 0; n < keysMax; n++) {
    assert.equal((await store.commitIdempotency(recordOf(`k${n}`))).kind, "repeat");
  }
  later(dedupeWindowMs + 60_000);
  assert.equal((await store.commitIdempotency(recordOf("too many"))).kind, "first");
});

test("a request that takes a key over from another is the one that a restart finds", async (t) => {
  const directory = temp(t);
  let laterMs = 0;
  const clock = { now: () => Date.now() + laterMs, monotonicMs: () => performance.now() };
  let rig = await openRig(directory, { clock });
  const first = { ...recordOf("k"), batch: "first" };
  const second = { ...recordOf("k"), digest: "bb", batch: "second" };
  await rig.store.commitIdempotency(first);
  laterMs = dedupeWindowMs + 1_000;
  assert.equal((await rig.store.commitIdempotency(second)).kind, "first");
  for (let restart = 0; restart < 2; restart++) {
    await rig.close();
    rig = await openRig(directory, { clock });
    const { kind, batch } = await rig.store.commitIdempotency({ ...second, batch: "third" });
    assert.deepEqual([kind, batch], ["repeat", "second"]);
    const wrong = rig.store.commitIdempotency(first);
    await assert.rejects(wrong, { code: "ingest.idempotency-mismatch" });
    await rig.store.seal();
  }
  await rig.close();
});
