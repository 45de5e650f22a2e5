import assert from "node:assert/strict";
import test from "node:test";
import { silentLogger } from "../../kit/src/logger.ts";
import type { Schedule, Scheduler } from "../src/scheduler.ts";
import { SchedulerLine } from "../src/scheduler-line.ts";
import { ruleOf, until, World } from "./world.ts";

/** A scheduler that cannot be reached at first. */
class Distant implements Scheduler {
  isAway = true;
  refused = 0;
  readonly told: string[] = [];

  schedule(schedules: readonly Schedule[]): Promise<void> {
    return this.#tell(`schedules ${schedules.map(({ rule }) => rule).join(" ")}`);
  }

  deliver(id: string): Promise<void> {
    return this.#tell(`deliver ${id}`);
  }

  close(): Promise<void> {
    this.told.push("close");
    return Promise.resolve();
  }

  async #tell(what: string): Promise<void> {
    await Promise.resolve();
    if (this.isAway) {
      this.refused++;
      throw new Error("connection refused");
    }
    this.told.push(what);
  }
}

const of = (...rules: string[]) => rules.map((rule) => ({ rule, everyMs: 1000 }));

test("a scheduler that is away is told later: the last schedules, and each delivery once", async () => {
  const closing = new AbortController();
  const scheduler = new Distant();
  const line = new SchedulerLine(silentLogger, closing.signal);
  line.deliver(["x"]);
  line.open(scheduler);
  await until(() => scheduler.refused > 0);
  line.schedule(() => of("a"));
  line.deliver(["y", "x"]);
  line.schedule(() => of("a", "b"));
  scheduler.isAway = false;
  await until(() => scheduler.told.length === 3);
  assert.deepEqual(scheduler.told, ["schedules a b", "deliver x", "deliver y"]);
  line.deliver(["x"]);
  await until(() => scheduler.told.length === 4);
  closing.abort();
  line.deliver(["z"]);
  await line.close();
  assert.deepEqual(scheduler.told.slice(3), ["deliver x", "close"]);
});

test("alerts that find no scheduler do not open, and leave nothing behind", async () => {
  const world = new World();
  await world.rules.put("t", ruleOf({ type: "match", query: "x" }));
  const openScheduler = () => Promise.reject(new Error("no such server"));
  await assert.rejects(world.open({ openScheduler }), /no such server/);
  assert.ok(world.followings.every(({ options }) => options.signal.aborted));
  await world.open();
  await until(() => world.followings.some(({ options }) => !options.signal.aborted));
  await world.close();
});

test("rules that come and go are scheduled while they are there", async () => {
  const world = new World();
  await world.open();
  const threshold = { type: "threshold", query: "* | stats count()", condition: "> 1" };
  const { id } = await world.rules.put("t", ruleOf({ ...threshold, every: "1m" }));
  await world.rules.put("t", ruleOf({ name: "m", type: "match", query: "x" }));
  await until(() => world.scheduler?.schedules.length === 1);
  assert.deepEqual(world.scheduler?.schedules, [{ rule: id, everyMs: 60_000 }]);
  await world.rules.delete("t", "r");
  await until(() => world.scheduler?.schedules.length === 0);
  await world.close();
});
