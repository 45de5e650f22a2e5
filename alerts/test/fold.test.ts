import assert from "node:assert/strict";
import test from "node:test";
import type { AlertEntry, OutboxItem } from "../src/entry.ts";
import { foldJournal } from "../src/fold.ts";
import type { Notification } from "../src/notification.ts";
import { stateOf } from "../src/rule-facts.ts";
import { ruleOf } from "./world.ts";

const definition = ruleOf({ type: "match", query: "x" });
const notification = (dedupeKey: string, lines = 0): Notification => ({
  ...{ status: "firing", rule: "r", labels: {}, count: 1, dedupeKey, link: "" },
  ...{ startsAt: "", endsAt: null, lines: Array.from({ length: lines }, () => line) },
});
const line = { _msg: "m".repeat(1020) };
const item = (dedupeKey: string, receiver = 0): OutboxItem => ({
  ...{ id: `${dedupeKey}-${receiver}`, dedupeKey, receiver, url: `http://${receiver}/` },
  createdMs: 1000,
});

function state(
  ruleId: string,
  { epoch = 1, atMs = 1000, progress = "p", keys = [] as readonly Notification[], to = 1 } = {},
): AlertEntry {
  const outbox = keys.flatMap(({ dedupeKey }) =>
    Array.from({ length: to }, (_, receiver) => item(dedupeKey, receiver)),
  );
  return {
    ...{ kind: "state", epoch, atMs, tenant: "t", ruleId, rule: "r" },
    ...{ state: { ...stateOf(definition), progress }, notifications: keys, outbox },
  };
}
const done = (outboxId: string, epoch = 1): AlertEntry => ({
  ...{ kind: "done", epoch, atMs: 2000, tenant: "t", outboxId },
  ...{ outcome: "refused", attempts: 2, reason: "it answered 404" },
});

async function folded(...entries: AlertEntry[]) {
  async function* all(): AsyncGenerator<AlertEntry> {
    for (const entry of entries) {
      await Promise.resolve();
      yield entry;
    }
  }
  const { rules, waiting, history, epoch } = await foldJournal(all());
  return { rules, waiting: waiting.map((each) => each.item.id), history, epoch };
}

test("fold: the last state of a rule counts, until it is gone", async () => {
  const gone: AlertEntry = { kind: "gone", epoch: 1, atMs: 1, tenant: "t", ruleId: "b" };
  const { rules } = await folded(
    ...[state("a"), state("b"), state("a", { progress: "q", atMs: 7 }), gone],
  );
  assert.deepEqual([...rules.keys()], ["a"]);
  assert.deepEqual([rules.get("a")?.state.progress, rules.get("a")?.atMs], ["q", 7]);
});

test("fold: a delivery waits until it is done, also when its rule is gone", async () => {
  const keys = [notification("k")];
  const gone: AlertEntry = { kind: "gone", epoch: 1, atMs: 1, tenant: "t", ruleId: "a" };
  const found = await folded(state("a", { keys, to: 3 }), done("k-1"), gone);
  assert.deepEqual(found.waiting, ["k-0", "k-2"]);
  const [event] = found.history.events("t", { limit: 5 });
  assert.deepEqual(event?.deliveries, [
    { url: "http://0/", outcome: "waiting", attempts: 0 },
    { url: "http://1/", outcome: "refused", attempts: 2, reason: "it answered 404" },
    { url: "http://2/", outcome: "waiting", attempts: 0 },
  ]);
});

test("fold: what was written again neither doubles nor revives anything", async () => {
  const keys = [notification("k")];
  const again = state("a", { keys, to: 2, atMs: 9000 });
  const found = await folded(state("a", { keys, to: 2 }), done("k-0"), again, again);
  assert.deepEqual(found.waiting, ["k-1"]);
  assert.equal(found.history.events("t", { limit: 5 }).length, 1);
});

test("fold: what an older evaluator wrote behind a newer one does not count", async () => {
  const keys = [notification("k")];
  const found = await folded(
    ...[state("a", { epoch: 3, keys, to: 2 }), state("a", { epoch: 4 }), done("k-0", 3)],
    ...[state("b", { epoch: 3, keys: [notification("l")] }), done("k-1", 4)],
  );
  assert.deepEqual([found.waiting, [...found.rules.keys()], found.epoch], [["k-0"], ["a"], 4]);
  assert.equal((await folded()).epoch, -1);
});

test("history: the newest come first, bounded by number and by the bytes of their lines", async () => {
  const many = Array.from({ length: 1500 }, (_, i) => notification(`k${i}`));
  const found = await folded(state("a", { keys: many }));
  const events = found.history.events("t", { limit: 2000 });
  assert.deepEqual([events.length, events[0]?.dedupeKey], [1000, "k1499"]);
  assert.equal(found.history.events("t", { limit: 3 }).length, 3);
  assert.equal(found.history.events("t", { limit: 3, rule: "other" }).length, 0);
  assert.equal(found.history.events("other", { limit: 3 }).length, 0);
  const long = Array.from({ length: 200 }, (_, i) => notification(`l${i}`, 64));
  const bounded = await folded(state("a", { keys: long }));
  assert.equal(bounded.history.events("t", { limit: 2000 }).length, 128);
});

test("fold: what has ended stays so when it is written again, behind many other ends", async () => {
  const done = (outboxId: string): AlertEntry => ({
    ...{ kind: "done", epoch: 1, atMs: 1000, tenant: "t", outboxId },
    ...{ outcome: "delivered", attempts: 1, reason: undefined },
  });
  async function* journal() {
    yield state("one", { keys: [notification("a")] });
    for (let i = 0; i < 500_000; i++) yield done(`other${i}`);
    yield done("a-0");
    for (let i = 0; i < 40_000; i++) yield done(`later${i}`);
    yield state("one", { keys: [notification("a")] });
  }
  const before = process.cpuUsage();
  assert.deepEqual((await foldJournal(journal())).waiting, []);
  // Weeks of deliveries are read at a start.
  assert.ok(process.cpuUsage(before).user < 30_000_000);
});
