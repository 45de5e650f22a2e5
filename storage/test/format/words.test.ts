import assert from "node:assert/strict";
import { test } from "node:test";
import { copyBytes, isSame, viewOf } from "../../src/format/words.ts";

test("text of any length is copied, and nothing beside it is touched", () => {
  const from = Buffer.from(
    "€uro, naïve \u{1f600} text \u007f\u0000 of any bytes that may stand. ".repeat(8),
  );
  const to = Buffer.alloc(400);
  for (let length = 0; length <= 300; length++) {
    const start = length % 7;
    const at = 3 + (length % 5);
    to.fill(0xee);
    copyBytes(viewOf(from), from, start, start + length, viewOf(to), to, at);
    const expected = Buffer.alloc(400, 0xee);
    from.copy(expected, at, start, start + length);
    assert.deepEqual(to, expected, `${length} bytes`);
    assert.ok(isSame(viewOf(from), start, length, viewOf(to), at));
  }
});
