import assert from "node:assert/strict";
import { test } from "node:test";
import { Seldom } from "../src/seldom.ts";

test("the same is said once a minute, with how often it was left out", () => {
  let now = 0;
  const seldom = new Seldom(() => now);
  assert.deepEqual([seldom.say("a"), seldom.say("a"), seldom.say("a")], [0, undefined, undefined]);
  assert.equal(seldom.say("b"), 0, "another text is another thing");
  now = 60_000;
  assert.deepEqual([seldom.say("a"), seldom.say("a")], [2, undefined]);
});

test("it remembers so many texts and no more, however many there are", () => {
  const seldom = new Seldom(() => 0);
  for (let i = 0; i < 300; i++) assert.equal(seldom.say(`text ${i}`), 0);
  assert.equal(seldom.say("text 299"), undefined);
  assert.equal(seldom.say("text 0"), 0, "the oldest was forgotten");
});
