import assert from "node:assert/strict";
import test from "node:test";
import type { InstanceState } from "../src/entry.ts";
import { fittingLines, makeNotification, recordsFinder } from "../src/make-notification.ts";
import { ruleOf } from "./world.ts";

const firingMs = Date.UTC(2026, 10, 21, 12, 0, 0, 5);
const instance: InstanceState = {
  ...{ key: '{"app":"a"}', labels: { app: "a" }, phase: "firing", count: 7 },
  ...{ activeMs: firingMs - 60_000, firingMs, lastTrueMs: firingMs },
};
const origin = {
  ...{ tenant: "t", ruleId: "id", link: "http://console/" },
  definition: ruleOf({ type: "match", query: "x", labels: { severity: "page" } }),
};

test("a notification has the body that receivers know", () => {
  const told = { status: "firing", instance, atMs: firingMs, lines: [{ _msg: "m" }] } as const;
  const { dedupeKey, ...body } = makeNotification(told, origin);
  assert.deepEqual(body, {
    status: "firing",
    rule: "r",
    labels: { severity: "page", app: "a" },
    count: 7,
    lines: [{ _msg: "m" }],
    startsAt: "2026-11-21T12:00:00.005Z",
    endsAt: null,
    link: "http://console/",
  });
  assert.match(dedupeKey, /^[0-9a-f]{32}-firing$/);
});

test("a dedupe key is the same for the same transition, and no other's", () => {
  const told = { status: "firing", instance, atMs: firingMs, lines: [] } as const;
  const key = makeNotification(told, origin).dedupeKey;
  assert.equal(makeNotification({ ...told, lines: [{ a: "b" }] }, origin).dedupeKey, key);
  const others = [
    makeNotification({ ...told, status: "resolved" }, origin),
    makeNotification(told, { ...origin, tenant: "u" }),
    makeNotification(told, { ...origin, ruleId: "id2" }),
    makeNotification({ ...told, instance: { ...instance, key: "{}" } }, origin),
    makeNotification({ ...told, instance: { ...instance, firingMs: firingMs + 1 } }, origin),
  ];
  assert.equal(new Set([key, ...others.map((each) => each.dedupeKey)]).size, 6);
});

test("an alert does not end before it began, whatever the clock did", () => {
  const told = { status: "resolved", instance, atMs: firingMs - 5000, lines: [] } as const;
  const { startsAt, endsAt } = makeNotification(told, origin);
  assert.equal(endsAt, startsAt);
});

test("lines are bounded by number and bytes; a long one is cut, time and message kept", () => {
  const bounds = { linesMax: 3, bytesMax: 64 * 1024 };
  const short = Array.from({ length: 5 }, (_, i) => ({ _msg: `m${i}` }));
  assert.deepEqual(fittingLines(short, bounds), short.slice(0, 3));
  assert.deepEqual(fittingLines(short, { ...bounds, bytesMax: 13 }), short.slice(0, 2));
  assert.deepEqual(fittingLines(short, { ...bounds, linesMax: 0 }), []);
  const long = { first: "é".repeat(10_000), _msg: "message", _time: "now" };
  const [cut] = fittingLines([long], bounds);
  assert.deepEqual(Object.keys(cut ?? {}), ["_time", "_msg", "first"]);
  assert.match(cut?.["first"] ?? "", /^é+…$/);
  const bytes = Buffer.byteLength(JSON.stringify(cut));
  assert.ok(bytes > 8000 && bytes < 8300, `${bytes}`);
});

test("a query that cannot be read any more is linked as it is", () => {
  const broken = { ...origin.definition, query: 'a "' };
  assert.equal(recordsFinder(broken)(instance, firingMs).query, 'a "');
});
