// Goal: what counts as a disk that is too full or too slow to own shards on, and for how long; and that a real store hands its
// shard to another then.
// Method: signs and time by hand; then two stores of one process over links and a coordinator in memory, one with a disk that
// says it is full, or whose syncs wait.
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { nodeDisk } from "../../src/log/disk.ts";
import { SyncWatch } from "../../src/log/sync-watch.ts";
import { DiskStrain } from "../../src/replication/disk-strain.ts";
import {
  strainCalmMs,
  strainCalmMsMax,
  strainLookMs,
  strainWindowMs,
} from "../../src/replication/limits.ts";
import type { StoreOptions } from "../../src/shard/store-options.ts";
import { closeAfter, temp } from "../log/temp.ts";
import { type Node, Nodes, until } from "./nodes.ts";

const bound = { boundMs: 100, withinMs: strainWindowMs };

/** A disk whose signs are set by hand, looked at every second. */
class Seen {
  isFull = false;
  slowMs = 0;
  forgotten = 0;
  nowMs = 1_000;
  readonly strain: DiskStrain;

  constructor() {
    const forget = (): void => void this.forgotten++;
    const syncs = { slowMs: () => this.slowMs, forget };
    this.strain = new DiskStrain({ isFull: () => this.isFull, syncs }, bound.boundMs);
  }

  pass(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += strainLookMs;
      this.strain.look(this.nowMs);
    }
  }

  /** How long it takes from now on until the strain is over. */
  calmMs(): number {
    const beganMs = this.nowMs;
    while (this.strain.strain !== undefined) {
      assert.ok(this.nowMs < beganMs + 2 * strainCalmMsMax, "it ends");
      this.pass(strainLookMs);
    }
    return this.nowMs - beganMs;
  }
}

test("syncs count as slow beyond a bound, within a time, and while they last", async () => {
  let nowMs = 0;
  const watch = new SyncWatch(() => nowMs);
  const sync = async (tookMs: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timed = watch.timed(promise);
    nowMs += tookMs;
    resolve();
    await timed;
  };
  await sync(90);
  assert.equal(watch.slowMs(bound), 0);
  await sync(300);
  await sync(200);
  assert.equal(watch.slowMs(bound), 500);
  const hanging = Promise.withResolvers<void>();
  const timed = watch.timed(hanging.promise);
  nowMs += 1_000;
  assert.equal(watch.slowMs(bound), 1_500);
  watch.forget();
  assert.equal(watch.slowMs(bound), 0);
  nowMs += 150;
  hanging.reject(new Error("gone"));
  await assert.rejects(timed);
  assert.equal(watch.slowMs(bound), 150);
  nowMs += strainWindowMs;
  assert.equal(watch.slowMs(bound), 0);
});

test("a disk is strained when it is full, or when its slow syncs add up", () => {
  const seen = new Seen();
  seen.slowMs = 499;
  seen.pass(5_000);
  assert.equal(seen.strain.strain, undefined);
  seen.slowMs = 500;
  seen.pass(strainLookMs);
  assert.equal(seen.strain.strain, "slow");
  seen.isFull = true;
  seen.pass(strainLookMs);
  assert.equal(seen.strain.strain, "full");
});

test("a strain ends after a calm time, which doubles when it comes back soon", () => {
  const seen = new Seen();
  const strained = (): void => {
    seen.isFull = true;
    seen.pass(strainLookMs);
    seen.isFull = false;
  };
  const calms = [1, 2, 3, 4, 5].map(() => {
    strained();
    return seen.calmMs();
  });
  assert.deepEqual(
    calms,
    [1, 2, 4, 8, 15].map((times) => times * strainCalmMs),
  );
  seen.pass(3 * strainCalmMsMax);
  strained();
  assert.equal(seen.calmMs(), strainCalmMs);
});

test("what took long while the process stood still says nothing of the disk", () => {
  const seen = new Seen();
  seen.pass(5_000);
  assert.equal(seen.forgotten, 0);
  seen.nowMs += 30_000;
  seen.strain.look(seen.nowMs);
  assert.equal(seen.forgotten, 1);
});

test("a store whose disk is full hands its shard to another, with all that was acknowledged", async (t) => {
  const usedBytes = new Map([
    [1, 1],
    [2, 1],
  ]);
  const diskUse = (id: number) => () => ({ usedBytes: usedBytes.get(id)!, totalBytes: 1_000 });
  const { owner, other } = await served(t, (id) => ({ diskUse: diskUse(id) }));
  await owner.append(["before"]);
  usedBytes.set(owner.id, 999);
  await until("the other serves", () => other.isServing);
  // What is not for its disk is not refused for it.
  await until("it takes requests", () => owner.store.pressure() === undefined);
  assert.equal(owner.store.status().strain, "full");
  assert.deepEqual(await other.read(), ["before"]);
  await other.append(["after"]);
  assert.deepEqual(await other.read(), ["before", "after"]);
});

test("a store whose syncs are slow hands its shard to another, with all that was acknowledged", async (t) => {
  const waits = new Map<number, () => Promise<unknown>>();
  const { owner, other } = await served(t, slowDisks(waits));
  waits.set(owner.id, () => sleep(3 * bound.boundMs));
  const stored: string[] = [];
  while (owner.isServing) {
    const name = `record ${stored.length}`;
    const result = await owner.append([name]).catch(() => undefined);
    if (result?.kind === "committed") stored.push(name);
  }
  await until("the other serves", () => other.isServing);
  assert.ok(stored.length > 0);
  const read = await other.read();
  assert.deepEqual(
    stored.filter((name) => read?.includes(name) !== true),
    [],
  );
  await other.append(["after"]);
  assert.equal((await other.read())?.at(-1), "after");
});

test("of three stores the one whose syncs are slow is left out of the set, and appends wait for it no longer", async (t) => {
  const waits = new Map<number, () => Promise<unknown>>();
  const { nodes, owner, other } = await served(t, slowDisks(waits), [1, 2, 3]);
  const { inSync } = nodes.coordinator.node(0);
  assert.equal(inSync.length, 3);
  waits.set(other.id, () => sleep(3 * bound.boundMs));
  const stored: string[] = [];
  const append = async (): Promise<void> => {
    stored.push(`record ${stored.length}`);
    await owner.append([stored.at(-1)!]);
  };
  while (nodes.coordinator.node(0).inSync.length === 3) await append();
  assert.deepEqual(
    nodes.coordinator.node(0).inSync.toSorted(),
    inSync.filter((member) => member !== other.member).toSorted(),
  );
  const held = Promise.withResolvers<void>();
  waits.set(other.id, () => held.promise);
  await append();
  assert.deepEqual(await owner.read(), stored);
  held.resolve();
});

/** Stores that tell slow syncs, and who of them serves. */
async function served(
  t: TestContext,
  over: (id: number) => Partial<StoreOptions>,
  ids: readonly number[] = [1, 2],
): Promise<{ readonly nodes: Nodes; readonly owner: Node; readonly other: Node }> {
  const nodes = new Nodes(temp(t));
  closeAfter(t, () => nodes.closeAll());
  nodes.slowSyncMs = bound.boundMs;
  await nodes.found(ids);
  const all = await Promise.all(ids.map((id) => nodes.start(id, over(id))));
  await until("one serves", () => all.some(({ isServing }) => isServing));
  const owner = all.find(({ isServing }) => isServing)!;
  return { nodes, owner, other: all.find((each) => each !== owner)! };
}

/** Disks whose syncs wait for what they are told to, by node. */
function slowDisks(
  waits: ReadonlyMap<number, () => Promise<unknown>>,
): (id: number) => Partial<StoreOptions> {
  return (id) => ({
    disk: {
      ...nodeDisk,
      // Those of the others cost nothing, however loaded the machine.
      async fdatasync() {
        const wait = waits.get(id);
        if (wait !== undefined) await wait();
      },
    },
  });
}
