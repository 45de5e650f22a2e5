// Goal: what time records grow old by, and that whoever looks for it is told when there is none.
// Method: the clock of retention over clocks that the test sets.
import assert from "node:assert/strict";
import test from "node:test";
import { silentLogger } from "../../../kit/src/logger.ts";
import { clockDoubtMs, clockFloorMs } from "../../src/shard/limits.ts";
import { RetentionClock } from "../../src/shard/retention-clock.ts";
import type { Shard } from "../../src/shard/shard.ts";

const nowMs = Date.UTC(2026, 0, 10);

/** A shard as far as retention's clock looks: of one segment, received then. */
function shardReceived(receiptMsMax: number): Shard {
  return { segments: { all: [{ entry: { partitions: [{ receiptMsMax }] } }] } } as unknown as Shard;
}

const alone: readonly { readonly received: number; readonly now: number; readonly says: string }[] =
  [
    { says: "its clock, when what it received is older", received: nowMs - 1, now: nowMs },
    {
      says: "what it received last, when its clock was set back a little",
      received: nowMs + clockFloorMs,
      now: nowMs + clockFloorMs,
    },
    {
      says: "its clock, when it was set back by more, since then it had been ahead",
      received: nowMs + clockFloorMs + 1,
      now: nowMs,
    },
  ];

for (const { says, received, now } of alone) {
  test(`a node that is alone goes by ${says}`, () => {
    const clock = { now: () => nowMs, monotonicMs: () => 0 };
    const shards = [shardReceived(received)];
    const retention = new RetentionClock({
      clock,
      logger: silentLogger,
      agreedMs: undefined,
      shards,
    });
    assert.equal(retention.nowMs(), now);
  });
}

test("that nodes do not agree is logged once when it lasts, and when it is over", () => {
  let monotonicMs = 0;
  let agreed: number | undefined;
  const said: string[] = [];
  const say = (_: object, text: string): void => void said.push(text);
  const retention = new RetentionClock({
    clock: { now: () => nowMs, monotonicMs: () => monotonicMs },
    logger: { ...silentLogger, warn: say, info: say },
    agreedMs: () => agreed,
    shards: [],
  });
  assert.equal(retention.nowMs(), undefined);
  assert.deepEqual(said, []);
  monotonicMs += clockDoubtMs;
  assert.equal(retention.isWaiting, false);
  for (let i = 0; i < 3; i++) assert.equal(retention.nowMs(), undefined);
  assert.equal(retention.isWaiting, true);
  agreed = nowMs;
  for (let i = 0; i < 3; i++) assert.equal(retention.nowMs(), nowMs);
  assert.equal(retention.isWaiting, false);
  assert.deepEqual(said, [
    "clocks of most nodes do not agree: nothing is dropped for its age",
    "clocks of most nodes agree again: retention goes on",
  ]);
});
