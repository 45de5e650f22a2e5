import assert from "node:assert/strict";
import { test } from "node:test";
import { settingsSchema } from "../src/schema.ts";

const kafka = { brokers: ["127.0.0.1:9092"], topic: "orders" };

const wrong: readonly (readonly [what: string, sources: readonly object[], reason: RegExp])[] = [
  [
    "two with one name",
    [
      { name: "a", kafka },
      { name: "a", kafka },
    ],
    /two sources have one name/,
  ],
  ["a name with capitals", [{ name: "Orders", kafka }], /lower-case/],
  [
    "a broker without a port",
    [{ name: "a", kafka: { ...kafka, brokers: ["kafka"] } }],
    /HOST:PORT/,
  ],
  [
    "a broker with a port that is none",
    [{ name: "a", kafka: { ...kafka, brokers: ["kafka:99999"] } }],
    /port/,
  ],
  [
    "a broker as a URL",
    [{ name: "a", kafka: { ...kafka, brokers: ["http://kafka:9092"] } }],
    /HOST:PORT/,
  ],
  ["a topic that is a folder", [{ name: "a", kafka: { ...kafka, topic: ".." } }], /topic/],
  ["no broker", [{ name: "a", kafka: { ...kafka, brokers: [] } }], /1/],
  [
    "a topic with a space",
    [{ name: "a", kafka: { ...kafka, topic: "a b" } }],
    /no name of a topic/,
  ],
  [
    "a password in place of its file",
    [{ name: "a", kafka: { ...kafka, sasl: { password: "x" } } }],
    /password/,
  ],
];

for (const [what, sources, reason] of wrong) {
  test(`sources are refused: ${what}`, () => {
    const found = settingsSchema.safeParse({ sources });
    assert.equal(found.success, false);
    assert.match(found.error?.message ?? "", reason);
  });
}

test("a source needs a name, brokers and a topic only", () => {
  const { sources } = settingsSchema.parse({ sources: [{ name: "orders", kafka }] });
  assert.deepEqual(sources[0], {
    name: "orders",
    tenant: "default",
    format: "json",
    time: ["_time"],
    msg: ["_msg"],
    extra: {},
    kafka: { ...kafka, from: "earliest", tls: false },
  });
});
