import assert from "node:assert/strict";
import { test } from "node:test";
import { loadSettings } from "../../config/src/load.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import { LiveSettings } from "../src/live-settings.ts";

const days = "storage.retention.days";
const timeout = "query.timeoutMs";

test("what set a value is told of the one the node runs with, be it that another waits for a restart", () => {
  const live = new LiveSettings((shared) => loadSettings({ shared }), {}, silentLogger);
  live.apply({ [days]: 30, [timeout]: 10_000 });
  assert.equal(live.view.storage.retention.days, 7);
  assert.deepEqual([live.runningOriginOf(days), live.originOf(days)], [undefined, "cluster"]);
  assert.deepEqual(live.pending, [{ path: days, running: 7, set: 30 }]);
  assert.equal(live.view.query.timeoutMs, 10_000);
  assert.equal(live.runningOriginOf(timeout), "cluster");

  const started = new LiveSettings(
    (shared) => loadSettings({ shared }),
    { [days]: 30 },
    silentLogger,
  );
  started.apply({});
  assert.equal(started.view.storage.retention.days, 30);
  assert.deepEqual([started.runningOriginOf(days), started.originOf(days)], ["cluster", undefined]);
});
