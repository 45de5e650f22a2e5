import assert from "node:assert/strict";
import test from "node:test";
import { ownFirst } from "../src/field-order.ts";
import { absolute, ago } from "../src/moment.ts";

test("the records' own fields come first, in their order, and what every record has comes last", () => {
  const names = ["_msg", "host", "_stream", "_tenant", "_time", "level"];
  assert.deepEqual(
    ownFirst(names.map((name) => ({ name }))).map(({ name }) => name),
    ["host", "_tenant", "level", "_msg", "_stream", "_time"],
  );
});

const at = Date.parse("2026-03-04T05:06:07Z");
const spans: readonly { readonly ms: number; readonly text: string }[] = [
  { ms: -5000, text: "just now" },
  { ms: 999, text: "just now" },
  { ms: 1000, text: "1 s ago" },
  { ms: 119_999, text: "1 min ago" },
  { ms: 7_200_000, text: "2 h ago" },
  { ms: 200_000_000, text: "2 d ago" },
];

for (const { ms, text } of spans) {
  test(`${ms} ms later it is ${text}`, () => {
    assert.equal(ago("2026-03-04T05:06:07Z", at + ms), text);
  });
}

test("a moment is told with its zone, which leads back to it", () => {
  const found = /^(\S+) (\S+) UTC(.*)$/.exec(absolute("2026-03-04T05:06:07Z"));
  const zone = (found?.[3] ?? "").replace("−", "-") || "Z";
  assert.equal(Date.parse(`${found?.[1]}T${found?.[2]}${zone}`), at);
});

test("what is no moment is shown as it is", () => {
  assert.equal(ago("soon", at), "soon");
  assert.equal(absolute("soon"), "soon");
});
