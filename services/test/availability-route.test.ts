// Goal: the answer is what its schema promises, from a real coordinator; whoever asks for that of another process is told.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { Registry } from "prom-client";
import { availabilityAnswerSchema } from "../../api/src/availability.ts";
import { startCoordinator } from "../../coordinator/src/server/start.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import { registerCoordinatorMetrics } from "../src/coordinator-metrics.ts";
import { availabilityAnswer } from "../src/http/availability-route.ts";

test("the answer is as its schema says, and the metrics say the same", async (context) => {
  const dataDir = mkdtempSync(path.join(os.tmpdir(), "logkeep-availability-"));
  context.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const coordinator = await startCoordinator({ dataDir });
  context.after(() => coordinator.close());
  const stats = async () => coordinator.stats();
  const answer = await availabilityAnswer({ address: "", stats });
  // As it goes over the wire: what is not known is left out.
  const parsed = availabilityAnswerSchema.parse(JSON.parse(JSON.stringify(answer)));
  assert.deepEqual([parsed.mode, parsed.state, parsed.availability], ["standalone", "led", 1]);
  assert.equal(parsed.recoverMsMean, undefined);
  const registry = new Registry();
  registerCoordinatorMetrics(registry, stats);
  const text = await registry.metrics();
  assert.match(text, /^logkeep_coordinator_state\{state="led"\} 1$/m);
  assert.match(text, /^logkeep_coordinator_transitions_total\{from="led",to="electing"\} 0$/m);
  assert.match(text, /^logkeep_coordinator_availability 1$/m);
  assert.match(text, /^logkeep_coordinator_txns_per_notification Nan$/m);
});

test("a coordinator of another process keeps its availability to itself, and the answer says who knows", async () => {
  await assert.rejects(
    availabilityAnswer({ address: "zk1:2181,zk2:2181", stats: undefined }),
    (thrown: unknown) => {
      assert(thrown instanceof ServiceError);
      assert.deepEqual([thrown.code, thrown.status], ["coordinator.elsewhere", 404]);
      assert.equal(thrown.fields["address"], "zk1:2181,zk2:2181");
      return true;
    },
  );
});
