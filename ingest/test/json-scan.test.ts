import assert from "node:assert/strict";
import { test } from "node:test";
import { plainCount } from "../src/protocol/json-scan.ts";

test("every byte that is not plain is found at each place of a word, whatever stands beside it", () => {
  const neighbours = [0x20, 0x21, 0x23, 0x41, 0x5b, 0x5d, 0x7f, 0x80, 0xa2, 0xdc, 0xff];
  for (let c = 0; c < 256; c++) {
    const isPlain = c >= 0x20 && c !== 0x22 && c !== 0x5c;
    for (const neighbour of neighbours) {
      for (let place = 0; place < 4; place++) {
        const word = Buffer.alloc(4, neighbour);
        word[place] = c;
        assert.equal(plainCount(word.readInt32LE()), isPlain ? 4 : place, word.toString("hex"));
      }
    }
  }
});

test("of several bytes in a word that are not plain the first is found", () => {
  assert.equal(plainCount(Buffer.from('ab"\\').readInt32LE()), 2);
  assert.equal(plainCount(Buffer.from('a\\"\n').readInt32LE()), 1);
  assert.equal(plainCount(Buffer.from('\n"""').readInt32LE()), 0);
});
