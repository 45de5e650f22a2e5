import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "../../kit/src/logger.ts";
import type { WaitingItem } from "../src/fold.ts";
import { History } from "../src/history.ts";
import { DeliveryError, type Notification } from "../src/notification.ts";
import { Outbox } from "../src/outbox.ts";
import { Tally } from "../src/tally.ts";
import { HandClock, ruleOf } from "./world.ts";

const hour = 3_600_000;
const forever = new AbortController().signal;

function box(
  send: (url: string, notification: Notification, signal: AbortSignal) => Promise<void>,
) {
  const clock = new HandClock();
  const tally = new Tally();
  const journal: string[] = [];
  const outbox = new Outbox({
    journal: {
      append: (entries) => {
        for (const entry of entries) {
          if (entry.kind === "done") journal.push(`${entry.outboxId} ${entry.outcome}`);
        }
        return Promise.resolve();
      },
      read: () => {
        throw new Error("nobody reads");
      },
    },
    sender: {
      send: ({ webhook }, notification, signal) => send(webhook.url, notification, signal),
    },
    ...{ clock, tally, logger: silentLogger, history: new History(), epoch: 1 },
    deliveryRetryMs: hour,
    receiverOf: ({ item }) => ({ webhook: { url: item.url } }),
  });
  return { outbox, clock, tally, journal };
}

function item(
  alert: string,
  status: "firing" | "resolved",
  { url = "http://one/", createdMs = new HandClock().nowMs } = {},
): WaitingItem {
  const dedupeKey = `${alert}-${status}`;
  const notification: Notification = {
    ...{ status, rule: "r", labels: {}, count: 1, lines: [], dedupeKey, link: "" },
    ...{ startsAt: "", endsAt: null },
  };
  return {
    ...{ tenant: "t", ruleId: "id", definition: ruleOf({ type: "match", query: "x" }) },
    ...{ item: { id: `${dedupeKey}-${url}`, dedupeKey, receiver: 0, url, createdMs } },
    ...{ notification, atMs: createdMs },
  };
}

test("a failed attempt is made again with growing waits, until the receiver takes it", async () => {
  let attempts = 0;
  const { outbox, clock, journal, tally } = box(() => {
    attempts++;
    return attempts < 6
      ? Promise.reject(new DeliveryError("busy", { isTransient: true }))
      : Promise.resolve();
  });
  const one = item("a", "firing");
  outbox.add([one]);
  const waits: number[] = [];
  for (;;) {
    const laterMs = await outbox.deliver(one.item.id, forever);
    if (laterMs === undefined) break;
    waits.push(laterMs);
    clock.nowMs += laterMs;
  }
  for (const [i, wait] of waits.entries()) {
    assert.ok(wait >= 500 * 2 ** i && wait <= 1000 * 2 ** i, `${waits}`);
  }
  assert.deepEqual([attempts, waits.length, outbox.size], [6, 5, 0]);
  assert.deepEqual(journal, [`${one.item.id} delivered`]);
  assert.deepEqual([tally.delivered, tally.failed], [1, 5]);
});

test("a receiver that asks for rest gets it, within bounds", async () => {
  const asked = [120_000, 100 * hour];
  const { outbox, clock } = box(() => {
    const retryAfterMs = asked.shift();
    return Promise.reject(new DeliveryError("rest", { isTransient: true, retryAfterMs }));
  });
  const one = item("a", "firing");
  outbox.add([one]);
  assert.equal(await outbox.deliver(one.item.id, forever), 120_000);
  clock.nowMs += 60_000;
  assert.equal(await outbox.deliver(one.item.id, forever), 60_000, "not before");
  clock.nowMs += 60_000;
  // The last attempt is made when the time is up.
  assert.equal(await outbox.deliver(one.item.id, forever), hour - 120_000);
});

test("what a receiver refuses as such ends at once, the rest when its time is up", async () => {
  let isTransient = false;
  const { outbox, clock, journal } = box(() =>
    Promise.reject(new DeliveryError("no", { isTransient })),
  );
  const [refused, expired] = [item("a", "firing"), item("b", "firing")];
  outbox.add([refused, expired]);
  assert.equal(await outbox.deliver(refused.item.id, forever), undefined);
  isTransient = true;
  for (;;) {
    const laterMs = await outbox.deliver(expired.item.id, forever);
    if (laterMs === undefined) break;
    clock.nowMs += laterMs;
  }
  assert.equal(clock.nowMs, expired.item.createdMs + hour);
  assert.deepEqual(journal, [`${refused.item.id} refused`, `${expired.item.id} expired`]);
});

test("even what is older than its time is attempted once after a restart", async () => {
  const { outbox, journal } = box(() => Promise.resolve());
  const old = item("a", "firing", { createdMs: 0 });
  outbox.add([old]);
  assert.equal(await outbox.deliver(old.item.id, forever), undefined);
  assert.deepEqual(journal, [`${old.item.id} delivered`]);
});

test("a receiver is told that an alert is over only after it was told that it fires", async () => {
  let isUp = false;
  const sent: string[] = [];
  const { outbox, clock } = box((url, { dedupeKey }) => {
    if (!isUp && url.includes("one")) {
      return Promise.reject(new DeliveryError("down", { isTransient: true }));
    }
    sent.push(`${url} ${dedupeKey}`);
    return Promise.resolve();
  });
  const two = { url: "http://two/" };
  const items = [
    item("a", "firing"),
    item("a", "firing", two),
    item("a", "resolved"),
    item("a", "resolved", two),
    item("b", "resolved"),
  ];
  outbox.add(items);
  // Whoever calls first.
  const ids = items.map((each) => each.item.id).reverse();
  for (let round = 0; outbox.size > 0; round++) {
    if (round === 5) isUp = true;
    const waits = await Promise.all(ids.map((id) => outbox.deliver(id, forever)));
    if (round === 2) assert.deepEqual(sent, ["http://two/ a-firing", "http://two/ a-resolved"]);
    clock.nowMs += Math.max(...waits.map((wait) => wait ?? 0));
    assert.ok(round < 100);
  }
  const toOne = sent.filter((each) => each.includes("one"));
  assert.ok(toOne.indexOf("http://one/ a-firing") < toOne.indexOf("http://one/ a-resolved"));
  assert.equal(sent.length, 5);
});

test("a receiver that hangs has a few calls under way and holds up no other", async () => {
  let hanging = 0;
  const sent: string[] = [];
  const abort = new AbortController();
  const { outbox } = box(async (url, _notification, signal) => {
    if (url.includes("slow")) {
      hanging++;
      await sleep(hour, undefined, { signal });
    }
    sent.push(url);
  });
  const slow = Array.from({ length: 100 }, (_, i) =>
    item(`s${i}`, "firing", { url: "http://slow/" }),
  );
  const quick = item("q", "firing", { url: "http://quick/" });
  outbox.add([...slow, quick]);
  const calls = [...slow, quick].map((each) => outbox.deliver(each.item.id, abort.signal));
  const settled = Promise.allSettled(calls);
  assert.equal(await calls.at(-1), undefined);
  const waits = await Promise.all(calls.slice(4, -1));
  assert.ok(waits.every((wait) => wait !== undefined && wait >= 250 && wait <= 750));
  assert.equal(hanging, 4);
  assert.deepEqual(sent, ["http://quick/"]);
  abort.abort();
  assert.equal((await settled).filter(({ status }) => status === "rejected").length, 4);
  assert.equal(outbox.size, 100, "what was broken off is not ended");
});

test("many receivers that hang, on a few hosts, leave room for those that answer", async () => {
  const running = new Map<string, number>();
  let most = 0;
  const abort = new AbortController();
  // At first they are given up soon; then they hang for as long as is looked at them.
  let givenUp = () => AbortSignal.timeout(50);
  const { outbox } = box(async (url, _notification, signal) => {
    const { host } = new URL(url);
    if (!host.startsWith("slow")) return;
    running.set(host, (running.get(host) ?? 0) + 1);
    most = Math.max(most, ...running.values());
    try {
      await sleep(hour, undefined, { signal: AbortSignal.any([signal, givenUp()]) });
    } catch {
      throw new DeliveryError("no answer", { isTransient: true });
    } finally {
      running.set(host, (running.get(host) ?? 1) - 1);
    }
  });
  const slow = Array.from({ length: 300 }, (_, i) =>
    item(`s${i}`, "firing", { url: `http://slow${i % 3}/${i}` }),
  );
  outbox.add(slow);
  const deliver = () =>
    slow.map((each) => outbox.deliver(each.item.id, abort.signal).catch(() => undefined));
  await Promise.all(deliver());
  assert.equal(most, 16, "of one host");
  // By now they are known to be in trouble.
  givenUp = () => abort.signal;
  const second = deliver();
  await sleep(0);
  const total = [...running.values()].reduce((a, b) => a + b, 0);
  assert.equal(total, 16, "of all hosts in trouble");
  const quick = item("q", "firing", { url: "http://quick/" });
  outbox.add([quick]);
  assert.equal(await outbox.deliver(quick.item.id, abort.signal), undefined);
  abort.abort();
  await Promise.all(second);
});

test("when too much waits, the receiver that has the most loses its oldest", async () => {
  const { outbox, journal, tally } = box(() => Promise.resolve());
  const many = Array.from({ length: 19_999 }, (_, i) =>
    item(`m${i}`, "firing", { url: "http://many/" }),
  );
  const few = Array.from({ length: 3 }, (_, i) => item(`f${i}`, "firing", { url: "http://few/" }));
  outbox.add([...few.slice(0, 1), ...many]);
  outbox.add(few.slice(1));
  await sleep(0);
  assert.deepEqual(journal, [`${many[0]?.item.id} expired`, `${many[1]?.item.id} expired`]);
  assert.deepEqual([outbox.size, tally.expired], [20_000, 2]);
});

test("what the scheduler forgot is told to it again", async () => {
  const { outbox, clock } = box(() =>
    Promise.reject(new DeliveryError("busy", { isTransient: true })),
  );
  const [one, two] = [item("a", "firing"), item("b", "firing")];
  outbox.add([one, two]);
  clock.nowMs += 50_000;
  await outbox.deliver(one.item.id, forever);
  assert.deepEqual(outbox.overdue(10), []);
  clock.nowMs += 20_000;
  assert.deepEqual(outbox.overdue(10), [two.item.id]);
  clock.nowMs += 60_000;
  assert.equal(outbox.overdue(1).length, 1);
});
