// Goal: a shard whose replication fails is opened again from disk, and serves what was acknowledged once the failure has passed.
// Method: real stores over links in memory that throw when they are told to.
import assert from "node:assert/strict";
import { suite, type TestContext, test } from "node:test";
import { ServiceError } from "../../../kit/src/errors.ts";
import { silentLogger } from "../../../kit/src/logger.ts";
import { closeAfter, temp } from "../log/temp.ts";
import { type Node, Nodes, until } from "./nodes.ts";

interface Warning {
  readonly attempt: number;
  readonly inMs: number;
  readonly reason: string;
}

interface Story {
  readonly nodes: Nodes;
  readonly owner: Node;
  readonly other: Node;
  /** Of shards that are to be opened again. */
  readonly warnings: readonly Warning[];
}

async function story(t: TestContext): Promise<Story> {
  const nodes = new Nodes(temp(t));
  closeAfter(t, () => nodes.closeAll());
  const warnings: Warning[] = [];
  const logger = {
    ...silentLogger,
    warn: (fields: object): void => {
      if ("attempt" in fields) warnings.push(fields as Warning);
    },
  };
  await nodes.found([1, 2]);
  const [a, b] = await Promise.all([nodes.start(1, { logger }), nodes.start(2, { logger })]);
  await until("one serves", () => a.isServing || b.isServing);
  const [owner, other] = a.isServing ? [a, b] : [b, a];
  return { nodes, owner, other, warnings };
}

function inSyncOf(nodes: Nodes): number {
  return nodes.coordinator.node(0).inSync.length;
}

/** Has the links fail so many times when entries are sent. */
function failSends({ links }: Node, times: number, error: Error): void {
  let left = times;
  links.beforeSend = (bytes) => {
    if (bytes.length > 0 && left-- > 0) throw error;
  };
}

// Side by side: what they wait for is time.
suite("replication that fails", { concurrency: 5 }, () => {
  test("an owner whose replication fails says so, and serves again from disk when the failure has passed", async (t) => {
    const { nodes, owner, other, warnings } = await story(t);
    const expected = ["one", "two"];
    for (const name of expected) await owner.append([name]);
    const { epoch } = owner.shard;
    failSends(owner, 1, new Error("a link that is not right"));
    await assert.rejects(owner.append(["unknown"]));
    assert.equal(owner.shard.state, "stopped");
    assert.match(owner.shard.reason ?? "", /a link that is not right; opened again in 1 s, try 1$/);
    await until("it is served again", () => owner.isServing || other.isServing);
    const [now, then] = owner.isServing ? [owner, other] : [other, owner];
    assert.ok(now.shard.epoch > epoch);
    await now.append(["three"]);
    // Nobody was told what became of it.
    const found = (await now.read()) ?? [];
    assert.deepEqual(
      found.filter((name) => name !== "unknown"),
      [...expected, "three"],
    );
    assert.deepEqual(
      warnings.map(({ attempt, inMs }) => ({ attempt, inMs })),
      [{ attempt: 1, inMs: 1_000 }],
    );
    await until("both are in sync", () => inSyncOf(nodes) === 2);
    await nodes.close(now.id);
    await until("the other serves", () => then.isServing);
    assert.deepEqual(await then.read(), found);
  });

  test("a shard whose replication fails again and again is opened again later each time", async (t) => {
    const { nodes, owner, other, warnings } = await story(t);
    await owner.append(["kept"]);
    await nodes.close(other.id);
    await owner.append(["alone"]);
    failSends(owner, 2, new Error("not yet"));
    // What a learner lacks is sent as soon as it is served again.
    const back = await nodes.start(other.id);
    await until("both are in sync", () => inSyncOf(nodes) === 2);
    assert.deepEqual(
      warnings.map(({ attempt, inMs, reason }) => ({ attempt, inMs, reason })),
      [
        { attempt: 1, inMs: 1_000, reason: "not yet" },
        { attempt: 2, inMs: 2_000, reason: "not yet" },
      ],
    );
    // Who has failed just now gives it to who has not.
    await until("the other serves", () => back.isServing);
    await back.append(["more"]);
    assert.deepEqual(await back.read(), ["kept", "alone", "more"]);
  });

  test("a shard whose replication fails each time is served by another member, and copied again over the same link", async (t) => {
    const { nodes, owner, other, warnings } = await story(t);
    await owner.append(["one"]);
    failSends(owner, Number.POSITIVE_INFINITY, new Error("it lasts"));
    await assert.rejects(owner.append(["unknown"]));
    await until("another serves", () => other.isServing);
    await other.append(["two"]);
    await until("both are in sync", () => inSyncOf(nodes) === 2);
    await other.append(["three"]);
    const found = (await other.read())?.filter((name) => name !== "unknown");
    assert.deepEqual(found, ["one", "two", "three"]);
    // As a follower it sends none.
    assert.equal(warnings.length, 1);
    assert.equal(owner.shard.state, "foreign");
  });

  test("a follower whose replication failed is opened again and heard of over the same link", async (t) => {
    const { nodes, owner, other, warnings } = await story(t);
    await owner.append(["one"]);
    let isFailing = true;
    other.links.beforeSend = () => {
      if (isFailing) throw new Error("a link that is not right");
    };
    await until("it has failed", () => warnings.length > 0);
    isFailing = false;
    await owner.append(["two"]);
    await until("it is opened again", () => other.shard.state === "foreign");
    await until("both are in sync", () => inSyncOf(nodes) === 2);
    await owner.append(["three"]);
    await nodes.close(owner.id);
    await until("the other serves", () => other.isServing);
    assert.deepEqual(await other.read(), ["one", "two", "three"]);
  });

  test("a shard whose disk cannot be trusted stays stopped, and another member serves it", async (t) => {
    const { owner, other, warnings } = await story(t);
    await owner.append(["kept"]);
    failSends(owner, 1, new ServiceError("storage.damaged", "a flipped bit"));
    await assert.rejects(owner.append(["unknown"]));
    assert.equal(owner.shard.state, "stopped");
    assert.equal(owner.shard.reason, "replication failed: a flipped bit");
    assert.deepEqual(warnings, []);
    await until("another serves", () => other.isServing);
    await other.append(["more"]);
    const found = (await other.read())?.filter((name) => name !== "unknown");
    assert.deepEqual(found, ["kept", "more"]);
    assert.equal(owner.shard.state, "stopped");
  });
});
