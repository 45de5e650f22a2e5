import assert from "node:assert/strict";
import test from "node:test";
import { ServiceError } from "../../kit/src/errors.ts";
import { routeHoldMs, routePauseMsMax, routePauseMsMin } from "../src/limits.ts";
import { destinationsOf } from "../src/routing/destinations.ts";
import { Hold, isPassing, isUnknown } from "../src/routing/hold.ts";

test("pauses double up to the longest and end with the patience", () => {
  const hold = new Hold(0);
  let nowMs = 0;
  let lastMs = 0;
  for (;;) {
    const pauseMs = hold.next(nowMs);
    if (pauseMs === undefined) break;
    assert.ok(pauseMs >= Math.min(lastMs, routeHoldMs - nowMs) && pauseMs <= routePauseMsMax);
    if (nowMs === 0) assert.equal(pauseMs, routePauseMsMin);
    lastMs = pauseMs;
    nowMs += pauseMs;
  }
  assert.equal(nowMs, routeHoldMs);
  assert.equal(new Hold(5, 100).leftMs(30), 75);
  assert.equal(new Hold(0, 10 * routeHoldMs).next(routeHoldMs), undefined);
});

const errors: readonly {
  readonly error: ServiceError;
  readonly passes: boolean;
  readonly unknown: boolean;
}[] = [
  { error: new ServiceError("ingest.unavailable", "moved"), passes: true, unknown: true },
  { error: unreached(true), passes: true, unknown: true },
  { error: unreached(false), passes: true, unknown: false },
  { error: new ServiceError("ingest.busy", "no room"), passes: true, unknown: false },
  { error: new ServiceError("storage.full", "disk"), passes: false, unknown: false },
  { error: new ServiceError("request.malformed", "crc"), passes: false, unknown: false },
];

function unreached(sent: boolean): ServiceError {
  return new ServiceError("peer.unavailable", `gone, sent ${sent}`, { sent });
}

for (const { error, passes, unknown } of errors) {
  test(`${error.code} (${error.message}) ${passes ? "is" : "is not"} tried again`, () => {
    assert.deepEqual([isPassing(error), isUnknown(error)], [passes, unknown]);
  });
}

test("things go to their owners in order, in calls that are no larger than they may be", () => {
  const things = [0, 1, 0, 2, 0, 1].map((shard, i) => ({ shard, length: i === 3 ? 50 : 6 }));
  const nodes = new Map([
    [0, 1],
    [1, 2],
  ]);
  const nodeOf = (shard: number): number | undefined => nodes.get(shard);
  assert.deepEqual(destinationsOf(things, [0, 1, 2, 3, 4, 5], nodeOf, 12), [
    { node: 1, places: [0, 2] },
    { node: 2, places: [1, 5] },
    { node: undefined, places: [3] },
    { node: 1, places: [4] },
  ]);
});
