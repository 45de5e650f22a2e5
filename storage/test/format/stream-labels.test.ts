import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ServiceError } from "../../../kit/src/errors.ts";
import { parseStream, printStream } from "../../src/format/stream-labels.ts";
import { byName } from "./records.ts";

test("a stream is printed with its names sorted and its values quoted as JSON does", () => {
  assert.equal(
    printStream([
      ["service", "web"],
      ["host", 'a"b'],
      ["empty", ""],
      ["k8s.pod", "p"],
      ["odd name", "x"],
    ]),
    '{host="a\\"b",k8s.pod="p","odd name"="x",service="web"}',
  );
  assert.equal(printStream([]), "{}");
});

test("parsing a printed stream gives the pairs back", () => {
  const pair = fc.tuple(fc.string({ minLength: 1, unit: "binary" }), fc.string({ minLength: 1 }));
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 5 }), (pairs) => {
      const unique = new Map(pairs);
      assert.deepEqual(
        new Map([...parseStream(printStream(unique))].sort(byName)),
        new Map([...unique].sort(byName)),
      );
    }),
    { seed: 3, numRuns: 500 },
  );
});

for (const text of ["", "{", "}", "{a}", '{a="b}', '{a="b",}', '{a="b"}}', '{a="\\x"}', "{a=b}"]) {
  test(`${JSON.stringify(text)} is not the text of a stream`, () => {
    assert.throws(
      () => parseStream(text),
      (thrown) => thrown instanceof ServiceError && thrown.code === "storage.damaged",
    );
  });
}
