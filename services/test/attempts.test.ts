import assert from "node:assert/strict";
import test from "node:test";
import { ServiceError } from "../../kit/src/errors.ts";
import type { PartialMessage } from "../../query/src/engine/fragment.ts";
import type { PlanMessage } from "../../query/src/plan/plan.ts";
import { type Attempt, firstWhole, type Lateness } from "../src/fan-out/attempts.ts";
import { askedTwiceMax, askedTwiceShare, lateLoneMs, lateMsMin } from "../src/fan-out/limits.ts";
import { Stragglers } from "../src/fan-out/stragglers.ts";

const never = new AbortController().signal;

function message(name: string, damaged: readonly string[] = []): PartialMessage {
  const scanned = { rows: 0, bytes: 0, blocks: 0 };
  return { kind: "done", answer: name as never, scanned, damaged };
}

const answers =
  (name: string, damaged?: readonly string[]): Attempt =>
  () =>
    Promise.resolve(message(name, damaged));

const fails =
  (code: ServiceError["code"], text = code as string): Attempt =>
  () =>
    Promise.reject(new ServiceError(code, text));

const unexpected: Attempt = () => {
  throw new Error("this is not begun");
};

/** Does not answer; rejects when it is cancelled. */
function stuck(): { readonly attempt: Attempt; readonly cancelled: Promise<unknown> } {
  const cancelled = Promise.withResolvers<unknown>();
  const attempt: Attempt = (signal) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        cancelled.resolve(signal.reason);
        reject(signal.reason as Error);
      });
    });
  return { attempt, cancelled: cancelled.promise };
}

const late = (mayBegin: boolean): Lateness => ({ lateMs: () => 1, take: () => mayBegin });

test("a whole answer is the only one that is asked for", async () => {
  assert.deepEqual(await firstWhole([answers("a"), unexpected], never, late(true)), message("a"));
});

test("who cannot be reached or found damage is followed by the next, in turn", async () => {
  const attempts = [fails("peer.unavailable"), answers("b", ["block 1"]), answers("c"), unexpected];
  assert.deepEqual(await firstWhole(attempts, never, undefined), message("c"));
});

test("without a whole answer it is the first that lacks something, and without any the first failure", async () => {
  const damaged = [fails("query.timeout"), answers("b", ["block 1"]), answers("c", ["block 2"])];
  assert.deepEqual(await firstWhole(damaged, never, undefined), message("b", ["block 1"]));
  const failed = [fails("peer.unavailable", "first"), fails("storage.failed", "second")];
  await assert.rejects(firstWhole(failed, never, undefined), { message: "first" });
});

test("what the query itself is refused for is asked nobody else", async () => {
  await assert.rejects(firstWhole([fails("query.memory"), unexpected], never, undefined), {
    code: "query.memory",
  });
});

test("a late one is overtaken, and cancelled", async () => {
  const { attempt, cancelled } = stuck();
  assert.deepEqual(await firstWhole([attempt, answers("b")], never, late(true)), message("b"));
  await cancelled;
});

test("a late one is waited for when no other may begin", async () => {
  const slow: Attempt = async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return message("a");
  };
  assert.deepEqual(await firstWhole([slow, unexpected], never, late(false)), message("a"));
});

test("a query that ends cancels all that is under way, with its reason", async () => {
  const abort = new AbortController();
  const [one, two] = [stuck(), stuck()];
  const answer = firstWhole([one.attempt, two.attempt], abort.signal, late(true));
  const reason = new ServiceError("query.timeout", "over");
  setTimeout(() => abort.abort(reason), 20);
  await assert.rejects(answer, reason);
  assert.equal(await one.cancelled, reason);
});

const plan = (): PlanMessage => ({}) as PlanMessage;

test("a piece is late after three times what recent ones and those of its own query took, and never at once", () => {
  const stragglers = new Stragglers();
  const own = plan();
  assert.equal(stragglers.of(own).lateMs(), lateLoneMs);
  stragglers.done(own, 10);
  assert.equal(stragglers.of(own).lateMs(), lateMsMin);
  stragglers.done(own, 400);
  assert.equal(stragglers.of(own).lateMs(), 1200);
  const other = plan();
  stragglers.done(other, 1);
  for (let i = 0; i < 400; i++) stragglers.done(plan(), 700);
  assert.equal(stragglers.of(other).lateMs(), 2100);
});

test("a bounded share of the pieces is asked twice", () => {
  const stragglers = new Stragglers();
  const taken = (): boolean => stragglers.of(plan()).take();
  for (let i = 0; i < askedTwiceMax; i++) assert.ok(taken());
  assert.ok(!taken());
  let more = 0;
  for (let i = 0; i < 10_000; i++) {
    stragglers.done(plan(), 1);
    if (taken()) more++;
  }
  assert.ok(more > 0 && more <= 10_000 * askedTwiceShare + 1, `${more}`);
  assert.equal(stragglers.counts.askedTwice, askedTwiceMax + more);
});
