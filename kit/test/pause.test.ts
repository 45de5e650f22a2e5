import assert from "node:assert/strict";
import test from "node:test";

import { pause } from "../src/pause.ts";

test("a pause lasts its time", async () => {
  const start = performance.now();
  assert.equal(await pause(20), false);
  assert.ok(performance.now() - start >= 19);
});

test("a pause ends with the signal, at once when that has gone off", async () => {
  const ending = new AbortController();
  const waiting = pause(3_600_000, ending.signal);
  ending.abort();
  assert.equal(await waiting, true);
  assert.equal(await pause(3_600_000, ending.signal), true);
});
