import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";

import { openRig, type Rig } from "../../storage/test/shard/rig.ts";
import type { Cluster, ClusterOptions } from "../src/cluster.ts";
import type { InboxBatch, InboxId, InboxSink } from "../src/inbox-sink.ts";
import { paths } from "../src/paths.ts";
import { expiringMs, Given, until } from "./given.ts";

const shardCount = 3;
let given: Given;
let directory: string;

beforeEach(async () => {
  given = await Given.open();
  directory = await mkdtemp(join(tmpdir(), "logkeep-cluster-store-"));
});

afterEach(async () => {
  await given.close();
  await rm(directory, { recursive: true, force: true });
});

interface Node {
  readonly cluster: Cluster;
  readonly rig: Rig;
  close(): Promise<void>;
}

/** A store on the cluster's znodes, as a node has it; each call is another incarnation. */
async function node(more: Partial<ClusterOptions> = {}): Promise<Node> {
  const cluster = await given.cluster({ shards: shardCount, ...more });
  const { ownership, manifest } = cluster;
  const rig = await openRig(directory, { ownership, manifest, member: "1/disk-1", shardCount });
  const close = async (): Promise<void> => {
    await rig.close();
    await cluster.close();
  };
  return { cluster, rig, close };
}

test("a store on znodes keeps its records over seals, merges and incarnations", async () => {
  const texts: string[] = [];
  for (let incarnation = 0; incarnation < 4; incarnation++) {
    const { rig, close } = await node();
    assert.deepEqual(rig.read().toSorted(), texts.toSorted());
    for (let round = 0; round < 3; round++) {
      const shard = round % shardCount;
      const text = `${incarnation}-${round}`;
      assert.equal((await rig.append([text], { shard })).kind, "committed");
      texts.push(text);
      await rig.store.seal();
    }
    await rig.store.merge();
    assert.deepEqual(rig.read().toSorted(), texts.toSorted());
    await close();
  }
});

test("a store whose session expired acquires its shards again and goes on", async () => {
  const proxy = await given.proxy();
  const connect = proxy.address + given.server.chroot;
  const { rig, close } = await node({ connect, sessionTimeoutMs: expiringMs });
  await rig.append(["before"]);
  proxy.cut("down");
  assert.equal((await rig.append(["meanwhile"])).kind, "committed", "appends need no coordinator");
  const direct = given.direct();
  await until(async () => (await direct.exists(paths.shardOwner(0))) === null);
  const sealing = rig.store.seal();
  proxy.up();
  await sealing;
  await until(async () => (await direct.exists(paths.shardOwner(0))) !== null);
  assert.equal((await rig.append(["after"])).kind, "committed");
  await rig.store.seal();
  assert.deepEqual(rig.read(), ["before", "meanwhile", "after"]);
  await close();
});

/** The smallest thing between a drainer and a store: a record's shard follows from its text's length. */
class StoreSink implements InboxSink {
  readonly #rig: Rig;
  /** The number of batches to store before the next is stored without an answer. */
  failAfter = Number.POSITIVE_INFINITY;

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  lastStored(source: string): Promise<ReadonlyMap<number, bigint>> {
    return this.#rig.store.lastStored(source);
  }

  async store({
    source,
    records,
    ends,
    through,
  }: InboxBatch): Promise<ReadonlyMap<number, bigint>> {
    const moved = new Map<number, bigint>();
    for (let shard = 0; shard < shardCount; shard++) {
      const previous = ends.get(shard) ?? 0n;
      const part = records.filter(
        ({ body, czxid }) => (body.bytes?.length ?? 0) % shardCount === shard && czxid > previous,
      );
      const from = part[0]?.czxid;
      if (from === undefined) continue;
      const texts = part.map(({ body }) => String(body.bytes));
      const sourceRange = { source, previous, from, through };
      const { kind } = await this.#rig.append(texts, { shard, sourceRange });
      if (kind !== "committed") throw new Error(kind);
      moved.set(shard, through);
      if (this.failAfter-- <= 0) throw new Error("its answer was lost");
    }
    return moved;
  }

  async reject(_inbox: InboxId, names: readonly string[]): Promise<void> {
    throw new Error(`nothing is closed here: ${names}`);
  }
}

test("an inbox is stored once through restarts between every two steps", async () => {
  const inbox = paths.tenantInbox("default");
  const sender = given.direct();
  const sent: string[] = [];
  for (let incarnation = 0; incarnation < 6; incarnation++) {
    const { cluster, rig, close } = await node();
    const sink = new StoreSink(rig);
    sink.failAfter = incarnation;
    await cluster.drainInboxes(sink, ["default"]);
    const texts = Array.from(
      { length: 50 },
      (_, index) => "x".repeat(index % 7) + `${incarnation}-${index}`,
    );
    sent.push(...texts);
    const mode = "persistentSequential";
    await Promise.all(
      texts.map((text) => sender.create(`${inbox}/rec-`, Buffer.from(text), { mode })),
    );
    if (incarnation % 2 === 0) await rig.store.seal();
    await close();
  }
  const { cluster, rig, close } = await node();
  await cluster.drainInboxes(new StoreSink(rig), ["default"]);
  await until(async () => (await sender.getChildren(inbox)).children.length === 0);
  assert.deepEqual(rig.read().toSorted(), sent.toSorted());
  await close();
});
