// Goal: every scheduler keeps the same promises, whatever it stands on.
// Method: one suite of stories, run against each implementation in worlds of its own.
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Schedule, Scheduler, SchedulerHandlers, Tick } from "../src/scheduler.ts";

/** A place of its own for one test: schedulers opened in it share what they keep, if they share anything. */
export interface SchedulerWorld {
  open(handlers: SchedulerHandlers): Promise<Scheduler>;
  /**
   * Ends a scheduler as a crash would: without `close`, without finishing anything. Its handlers may still be under
   * way, since a test cannot stop them; nothing that they give back may have an effect.
   */
  abandon(scheduler: Scheduler): Promise<void>;
  /** Ends what is left, abandoned schedulers too, and clears up. */
  close(): Promise<void>;
}

export interface SchedulerContractOptions {
  /** Whether schedulers of one world divide the work among them. */
  readonly isShared: boolean;
  /** Why the suite cannot run here. */
  readonly skip?: string | undefined;
  /** How long an eventual outcome may take, in milliseconds. */
  readonly patienceMs?: number;
}

const everyMs = 500;

/** Runs the suite; `open` makes a new world. */
export function schedulerContract(
  name: string,
  open: () => Promise<SchedulerWorld>,
  { isShared, skip, patienceMs = 30_000 }: SchedulerContractOptions,
): void {
  const story = (title: string, body: (world: SchedulerWorld) => Promise<void>): void => {
    test(`${name}: ${title}`, { skip: skip ?? false }, async (context: TestContext) => {
      const world = await open();
      context.after(() => world.close());
      await body(world);
    });
  };
  const until = (claim: () => boolean, what: string) => eventually(claim, what, patienceMs);
  tickStories(story, until);
  changeStories(story, until);
  deliveryStories(story, until);
  endStories(story, until);
  if (isShared) sharedStories(story, until);
}

type Story = (title: string, body: (world: SchedulerWorld) => Promise<void>) => void;
type Until = (claim: () => boolean, what: string) => Promise<void>;

function tickStories(story: Story, until: Until): void {
  story("ticks come at multiples of the interval, each moment once, in order", async (world) => {
    const seen = new Seen();
    const scheduler = await world.open(seen.handlers());
    await scheduler.schedule([of("a"), { rule: "b", everyMs: 700 }]);
    await until(() => seen.of("a").length >= 4 && seen.of("b").length >= 3, "both rules tick");
    for (const [rule, interval] of [
      ["a", everyMs],
      ["b", 700],
    ] as const) {
      const at = seen.of(rule);
      assert.deepEqual(
        at.filter((ms) => ms % interval !== 0),
        [],
      );
      assert.deepEqual(
        at,
        [...new Set(at)].sort((x, y) => x - y),
      );
      assert.ok((at.at(-1) as number) <= Date.now(), "no tick comes before its moment");
    }
    await scheduler.close();
  });

  story("a rule is ticked one call at a time, others go on beside it", async (world) => {
    const seen = new Seen();
    let running = 0;
    let runningMost = 0;
    const scheduler = await world.open({
      ...seen.handlers(),
      async onTick(tick) {
        seen.note(tick);
        if (tick.rule !== "slow") return;
        running++;
        runningMost = Math.max(runningMost, running);
        await sleep(3 * everyMs);
        running--;
      },
    });
    await scheduler.schedule([of("slow"), of("quick")]);
    const isBeside = (): boolean => seen.of("quick").length > seen.of("slow").length;
    await until(() => seen.of("slow").length >= 3 && isBeside(), "both go on, the quick one more");
    assert.equal(runningMost, 1);
    await scheduler.close();
  });

  story("of the ticks that were missed only the latest comes", async (world) => {
    const seen = new Seen();
    let isFirst = true;
    const scheduler = await world.open({
      ...seen.handlers(),
      async onTick(tick) {
        seen.note(tick);
        if (!isFirst) return;
        isFirst = false;
        await sleep(6 * everyMs);
      },
    });
    await scheduler.schedule([of("a")]);
    await until(() => seen.of("a").length >= 2, "a tick follows the long one");
    const [first, second] = seen.of("a") as [number, number];
    assert.ok(second - first >= 4 * everyMs, `${second - first} ms lie between them`);
    await scheduler.close();
  });

  story("a tick whose call is rejected comes again", async (world) => {
    const calls = new Map<number, number>();
    const scheduler = await world.open({
      ...new Seen().handlers(),
      async onTick({ atMs }) {
        const count = (calls.get(atMs) ?? 0) + 1;
        calls.set(atMs, count);
        if (count === 1) throw new Error("not now");
      },
    });
    await scheduler.schedule([{ rule: "a", everyMs: 3000 }]);
    await until(() => [...calls.values()].includes(2), "one moment is ticked twice");
    await scheduler.close();
  });
}

function changeStories(story: Story, until: Until): void {
  story("a rule that leaves the schedules is ticked no more, the others are", async (world) => {
    const seen = new Seen();
    const scheduler = await world.open(seen.handlers());
    await scheduler.schedule([of("stays"), of("goes")]);
    await until(() => seen.of("goes").length >= 1 && seen.of("stays").length >= 1, "both tick");
    await scheduler.schedule([of("stays")]);
    // A tick that was on its way may still come.
    await sleep(everyMs);
    const gone = seen.of("goes").length;
    const stayed = seen.of("stays").length;
    await until(() => seen.of("stays").length >= stayed + 3, "the other goes on");
    assert.equal(seen.of("goes").length, gone);
    await scheduler.close();
  });

  story("a rule with another interval is ticked at the multiples of that", async (world) => {
    const seen = new Seen();
    const scheduler = await world.open(seen.handlers());
    await scheduler.schedule([{ rule: "a", everyMs: 24 * 60 * 60 * 1000 }]);
    await scheduler.schedule([of("a")]);
    await until(() => seen.of("a").length >= 3, "it is ticked at the new interval");
    const after = seen.of("a").slice(-2) as [number, number];
    assert.equal((after[1] - after[0]) % everyMs, 0);
    await scheduler.close();
  });

  story("schedules that are told again disturb nothing", async (world) => {
    const seen = new Seen();
    const scheduler = await world.open(seen.handlers());
    for (let i = 0; i < 10; i++) {
      await scheduler.schedule([of("a")]);
      await sleep(everyMs / 5);
    }
    await until(() => seen.of("a").length >= 3, "it ticks");
    const at = seen.of("a");
    assert.equal(new Set(at).size, at.length, "no moment came twice");
    await scheduler.close();
  });
}

function deliveryStories(story: Story, until: Until): void {
  story("a delivery is called until it is done, attempts counted from 1", async (world) => {
    const attempts: number[] = [];
    const scheduler = await world.open({
      ...new Seen().handlers(),
      async onDelivery(id, attempt) {
        assert.equal(id, 't/rule:1 {"a":"ä"}');
        attempts.push(attempt);
        if (attempt < 3) throw new Error("not now");
        return undefined;
      },
    });
    // Whatever characters an id has.
    await scheduler.deliver('t/rule:1 {"a":"ä"}');
    await until(() => attempts.length >= 3, "it is called three times");
    await sleep(everyMs);
    assert.deepEqual(attempts, [1, 2, 3]);
    await scheduler.close();
  });

  story("a delivery that asks for later is called not before, and again", async (world) => {
    const at: number[] = [];
    const scheduler = await world.open({
      ...new Seen().handlers(),
      onDelivery() {
        at.push(performance.now());
        return Promise.resolve(at.length < 3 ? 400 : undefined);
      },
    });
    await scheduler.deliver("one");
    await until(() => at.length === 3, "it is called three times");
    const [first, second, third] = at as [number, number, number];
    // A timer may be early by a millisecond or two.
    assert.ok(second - first >= 390 && third - second >= 390, `${at}`);
    await scheduler.close();
  });

  story("a delivery that waits is not doubled, one that was done may come again", async (world) => {
    const calls: string[] = [];
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const scheduler = await world.open({
      ...new Seen().handlers(),
      async onDelivery(id) {
        calls.push(id);
        await held;
        return undefined;
      },
    });
    await scheduler.deliver("one");
    await until(() => calls.length === 1, "it is called");
    await scheduler.deliver("one");
    await scheduler.deliver("one");
    release?.();
    await scheduler.deliver("two");
    await until(() => calls.includes("two"), "another is called");
    await sleep(everyMs);
    assert.deepEqual(calls, ["one", "two"]);
    await scheduler.deliver("one");
    await until(() => calls.length === 3, "it is called anew");
    await scheduler.close();
  });

  story("a delivery that takes long holds up neither others nor ticks", async (world) => {
    const seen = new Seen();
    const done: string[] = [];
    const scheduler = await world.open({
      ...seen.handlers(),
      async onDelivery(id, _attempt, signal) {
        if (id === "slow") await aborted(signal);
        done.push(id);
        return undefined;
      },
    });
    await scheduler.schedule([of("a")]);
    await scheduler.deliver("slow");
    await scheduler.deliver("quick");
    await until(() => done.includes("quick") && seen.of("a").length >= 2, "the others go on");
    assert.deepEqual(done, ["quick"]);
    await scheduler.close();
  });
}

function endStories(story: Story, until: Until): void {
  story("close aborts what is under way, waits for it and starts nothing more", async (world) => {
    let calls = 0;
    let ended = 0;
    const work = async (signal: AbortSignal): Promise<void> => {
      calls++;
      await aborted(signal);
      await sleep(50);
      ended++;
    };
    const scheduler = await world.open({
      onTick: (_tick, signal) => work(signal),
      async onDelivery(_id, _attempt, signal) {
        await work(signal);
        return undefined;
      },
    });
    await scheduler.schedule([of("a")]);
    await scheduler.deliver("one");
    await until(() => calls === 2, "both are under way");
    await scheduler.close();
    assert.equal(ended, 2);
    await sleep(3 * everyMs);
    assert.equal(calls, 2);
    await scheduler.close();
  });

  story("after an abrupt end and a new start nothing is forgotten", async (world) => {
    const schedules = [of("a"), of("b")];
    const first = new Seen();
    const crashed = await world.open({
      ...first.handlers(),
      onDelivery: () => Promise.reject(new Error("not now")),
    });
    await crashed.schedule(schedules);
    await crashed.deliver("one");
    await crashed.deliver("two");
    await until(() => first.of("a").length >= 1, "the first one ticks");
    await world.abandon(crashed);

    const second = new Seen();
    const scheduler = await world.open(second.handlers());
    await scheduler.schedule(schedules);
    await scheduler.deliver("one");
    await scheduler.deliver("two");
    await until(() => second.delivered.size === 2, "both deliveries come");
    await until(() => second.of("a").length >= 2 && second.of("b").length >= 2, "both rules tick");
    await scheduler.close();
  });

  story("what was under way at an abrupt end comes again", async (world) => {
    let isUnderWay = 0;
    const crashed = await world.open({
      onTick: () => {
        isUnderWay++;
        return new Promise<never>(() => undefined);
      },
      onDelivery: () => {
        isUnderWay++;
        return new Promise<never>(() => undefined);
      },
    });
    await crashed.schedule([of("a")]);
    await crashed.deliver("one");
    await until(() => isUnderWay === 2, "both are under way");
    await world.abandon(crashed);

    const seen = new Seen();
    const scheduler = await world.open(seen.handlers());
    await scheduler.schedule([of("a")]);
    await scheduler.deliver("one");
    await until(() => seen.delivered.has("one"), "the delivery comes again");
    await until(() => seen.of("a").length >= 2, "the rule goes on");
    await scheduler.close();
  });
}

function sharedStories(story: Story, until: Until): void {
  story("two schedulers side by side tick each rule and moment once", async (world) => {
    const seen = new Seen();
    const schedules = [of("a"), of("b"), of("c")];
    const left = await world.open(seen.handlers());
    const right = await world.open(seen.handlers());
    await Promise.all([left.schedule(schedules), right.schedule(schedules)]);
    await until(() => schedules.every(({ rule }) => seen.of(rule).length >= 4), "all rules tick");
    for (const { rule } of schedules) {
      const at = seen.of(rule);
      assert.equal(new Set(at).size, at.length, `${rule} came twice: ${at}`);
    }
    await Promise.all([left.close(), right.close()]);
  });

  story("a delivery told to both is made once", async (world) => {
    const calls: string[] = [];
    const handlers: SchedulerHandlers = {
      onTick: () => Promise.resolve(),
      async onDelivery(id) {
        calls.push(id);
        await sleep(2 * everyMs);
        return undefined;
      },
    };
    const left = await world.open(handlers);
    const right = await world.open(handlers);
    await Promise.all([left.deliver("one"), right.deliver("one")]);
    await until(() => calls.length >= 1, "it is called");
    await sleep(4 * everyMs);
    assert.deepEqual(calls, ["one"]);
    await Promise.all([left.close(), right.close()]);
  });

  story("when one ends abruptly the other goes on with all", async (world) => {
    const crashed = await world.open({
      onTick: () => new Promise<never>(() => undefined),
      onDelivery: () => Promise.reject(new Error("not now")),
    });
    await crashed.schedule([of("a")]);
    await crashed.deliver("one");
    await sleep(everyMs);
    const seen = new Seen();
    const other = await world.open(seen.handlers());
    await other.schedule([of("a")]);
    await world.abandon(crashed);
    await until(() => seen.of("a").length >= 2, "the rule goes on");
    await until(() => seen.delivered.has("one"), "the delivery comes");
    await other.close();
  });
}

function of(rule: string): Schedule {
  return { rule, everyMs };
}

/** What a scheduler called. */
class Seen {
  readonly #ticks: Tick[] = [];
  readonly delivered = new Set<string>();

  handlers(): SchedulerHandlers {
    return {
      onTick: (tick) => {
        this.note(tick);
        return Promise.resolve();
      },
      onDelivery: (id) => {
        this.delivered.add(id);
        return Promise.resolve(undefined);
      },
    };
  }

  note(tick: Tick): void {
    this.#ticks.push(tick);
  }

  /** The moments of a rule's ticks, in the order of the calls. */
  of(rule: string): readonly number[] {
    return this.#ticks.filter((tick) => tick.rule === rule).map(({ atMs }) => atMs);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function eventually(claim: () => boolean, what: string, patienceMs: number): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!claim()) {
    assert.ok(performance.now() < endMs, `in vain: ${what}`);
    await sleep(10);
  }
}
