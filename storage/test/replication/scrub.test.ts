import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { closeAfter, temp } from "../log/temp.ts";
import { type Node, Nodes, until } from "./nodes.ts";

interface Given {
  readonly owner: Node;
  readonly follower: Node;
  /** Of the one sealed segment, as the follower has it. */
  readonly copy: string;
  readonly whole: Buffer;
}

async function given(t: TestContext, over: Parameters<Nodes["start"]>[1] = {}): Promise<Given> {
  const directory = temp(t);
  const nodes = new Nodes(directory);
  closeAfter(t, () => nodes.closeAll());
  await nodes.found([1, 2]);
  const both = await Promise.all([nodes.start(1, over), nodes.start(2, over)]);
  await until("one serves", () => both.some(({ isServing }) => isServing));
  const owner = both.find(({ isServing }) => isServing)!;
  const follower = both.find(({ isServing }) => !isServing)!;
  await until("both are in sync", () => nodes.coordinator.node(0).inSync.length === 2);
  await owner.append(["a", "b"]);
  await owner.store.seal();
  const folder = join(directory, `${follower.id}`, "storage/shard-0000");
  const nameOf = () =>
    readdirSync(folder).find((name) => /^\d+-[0-9a-f]{8}-[0-9a-f-]+$/.test(name));
  await until("the follower has a copy", () => nameOf() !== undefined);
  const copy = join(folder, nameOf() ?? "");
  return { owner, follower, copy, whole: readFileSync(copy) };
}

function isAsItWas({ copy, whole }: Given): boolean {
  try {
    return readFileSync(copy).equals(whole);
  } catch {
    return false;
  }
}

test("a follower's copy that no query reads is repaired when it is scrubbed", async (t) => {
  const made = await given(t, { scrubPeriodMs: 0 });
  writeFileSync(made.copy, Buffer.from(made.whole).fill(1, 0, 1));
  await made.follower.store.scrub();
  assert.ok(isAsItWas(made));
  assert.deepEqual(made.follower.store.status().damagedBlocks, []);
});

test("an owner's segment that no query reads is repaired when it is scrubbed", async (t) => {
  const { owner } = await given(t, { scrubPeriodMs: 0 });
  const cut = await owner.store.cut("default", {
    from: { ms: Number.NEGATIVE_INFINITY, ns: 0 },
    to: { ms: Number.POSITIVE_INFINITY, ns: 0 },
  });
  const { ref } = cut.parts[0]!;
  cut.release();
  assert.ok(ref.kind === "segment");
  const whole = readFileSync(ref.path);
  writeFileSync(ref.path, Buffer.from(whole).fill(1, 0, 1));
  await owner.store.scrub();
  await until("it is repaired", () => readFileSync(ref.path).equals(whole));
  await until("it is read again", async () => (await owner.read())?.length === 2);
});

test("files are scrubbed by themselves, again and again", async (t) => {
  const made = await given(t, { scrubPeriodMs: 50 });
  for (let round = 0; round < 3; round++) {
    writeFileSync(made.copy, Buffer.from(made.whole).fill(1, 0, 1));
    await until("it is repaired", () => isAsItWas(made));
  }
});

test("a copy that goes while it is looked at is no damage", async (t) => {
  const { copy, follower, whole } = await given(t, { scrubPeriodMs: 0 });
  const { store } = follower;
  writeFileSync(copy, Buffer.from(whole).fill(1, 0, 1));
  const looking = store.scrub();
  rmSync(copy);
  await looking;
  assert.ok(!existsSync(copy));
});
