import assert from "node:assert/strict";
import test from "node:test";
import { optionsOfProperties } from "../src/zoo-properties.ts";

const optionsOf = (values: Readonly<Record<string, string>>) =>
  optionsOfProperties(
    new Map(Object.entries(values).map(([key, value]) => [`zookeeper.${key}`, value])),
  );

test("without its properties nothing is throttled", () => {
  assert.deepEqual(optionsOf({}), {});
});

test("properties of throttling become options, and what is not said is as in ZooKeeper", () => {
  const { connectionThrottle, requestThrottle } = optionsOf({
    connection_throttle_tokens: "100",
    connection_throttle_fill_time: "10",
    connection_throttle_freeze_time: "50",
    connection_throttle_drop_increase: "0.1",
    connection_throttle_weight_enabled: "true",
    connection_throttle_global_session_weight: "4",
    request_throttle_max_requests: "20",
    request_throttle_drop_stale: "false",
    throttled_op_wait_time: "300",
  });
  assert.deepEqual(connectionThrottle, {
    tokensMax: 100,
    fillMs: 10,
    fillCount: 1,
    freezeMs: 50,
    dropIncrease: 0.1,
    dropDecrease: 0.002,
    decreaseRatio: 0,
    weights: { global: 4, local: 1, renew: 2 },
  });
  assert.deepEqual(requestThrottle, {
    requestsMax: 20,
    stallMs: 100,
    dropsStale: false,
    isStaleByLatency: false,
    opWaitMs: 300,
  });
  const off = optionsOf({ connection_throttle_freeze_time: "-1" }).connectionThrottle;
  assert.deepEqual([off?.freezeMs, off?.tokensMax, off?.weights], [undefined, 0, undefined]);
});

for (const [name, value] of [
  ["connection_throttle_tokens", "-1"],
  ["connection_throttle_fill_time", "0"],
  ["connection_throttle_drop_increase", "2"],
  ["connection_throttle_local_session_weight", "5"],
  ["request_throttle_stall_time", "x"],
  ["request_throttle_drop_stale", "maybe"],
] as const) {
  test(`${name}=${value} is refused`, () => {
    assert.throws(() => optionsOf({ [name]: value }), { code: "config.invalid" });
  });
}
